/**
 * Defects that the simulation has to find. Each is an exact piece of source text and what it becomes: a plausible
 * mistake in our own code, planted while that is loaded. Three stand for the journal's SQL, which does not run here: they
 * change the journal in memory.
 */
export interface Mutant {
  readonly name: string
  readonly what: string
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
}

const mutant = (name: string, what: string, file: string, find: string, replace: string): Mutant => ({
  name,
  what,
  edits: [{ file, find, replace }],
})

export const mutants: readonly Mutant[] = [
  mutant(
    'offset-early',
    'An offset is committed before its records are in the journal.',
    'src/flows/intake.ts',
    'concatMap(part => journal.append(part)),',
    'tap(() => chunk.done()), concatMap(part => journal.append(part)),',
  ),
  mutant(
    'intent-late',
    'The intent to create is stored after the call instead of before it.',
    'src/drive/run-job.ts',
    'return calls.create(intent).pipe(',
    'return calls.create(of(job)).pipe(concatMap(result => intent.pipe(map(() => result))),',
  ),
  mutant(
    'create-again',
    'A create without an answer is sent again without looking for its job.',
    'src/drive/run-job.ts',
    '() => settleUnknown(job, doubt, absent)',
    'absent',
  ),
  mutant(
    'absent-early',
    'The List is trusted before CREATE_SETTLE_MS is over: a job not in it counts as absent.',
    'src/drive/reconcile-job.ts',
    'timer(Math.max(0, listedFrom - asyncScheduler.now()))',
    'timer(0)',
  ),
  mutant(
    'adopts-any-size',
    'A job in the List is taken for ours although it has another number of devices.',
    'src/domain/reconcile.ts',
    'listed.total === job.total &&',
    '',
  ),
  mutant(
    'adopts-own',
    'A job in the List is taken for that of an unanswered create although it is known as ours.',
    'src/domain/reconcile.ts',
    '!own.has(each.providerJobId) && ',
    '',
  ),
  mutant(
    'keeps-strangers',
    "An adopted job is kept although its result file tells of other people's devices only.",
    'src/domain/ask-again.ts',
    'const isOthers = so.isFound && ',
    'const isOthers = false && ',
  ),
  mutant(
    'two-creates',
    "The journal claims a route while a create of it has no answer yet (the model's claim).",
    'test/support/fake-journal/claim.ts',
    'route.heldBecause === null && !unanswered.has(route.lookAlike)',
    'route.heldBecause === null',
  ),
  mutant(
    'repeats-sent',
    'A request that comes twice is carried out twice.',
    'src/domain/claim-rules.ts',
    'attempt === 1 && (started',
    'attempt === 0 && (started',
  ),
  mutant(
    'no-waiting',
    'A device is sent although a request of it is in another job.',
    'src/domain/claim-rules.ts',
    "waitsFor === null ? send : { kind: 'wait', waitsFor }",
    'send',
  ),
  mutant(
    'slot-early',
    'A slot is free when its job is created, not when it has ended.',
    'src/drive/run-job.ts',
    'const { providerJobId } = result.value',
    'slot.release()\n            const { providerJobId } = result.value',
  ),
  mutant(
    'strangers-uncounted',
    "Other people's open jobs are not counted.",
    'src/drive/account-view.ts',
    'slots.foreign([...open].filter(id => !tracked.has(id)).length)',
    'slots.foreign(0)',
  ),
  mutant(
    'waits-blindly',
    'Whoever waits for a slot does not look at the account meanwhile.',
    'src/drive/run-job.ts',
    'merge(slots.enter(), view.looks$.pipe(ignoreElements()))',
    'merge(slots.enter())',
  ),
  mutant(
    'no-lease-check',
    'A call leaves without a look at the lease.',
    'src/drive/provider-calls.ts',
    'if (!mayCall()) throw new LeaseLostError(`no $',
    'if (false) throw new LeaseLostError(`no $',
  ),
  mutant(
    'unfenced',
    "The journal takes what the holder of an old epoch writes (the model's guard).",
    'test/support/fake-journal/store.ts',
    'if (epoch !== lease.epoch) throw',
    'if (false) throw',
  ),
  mutant(
    'token-at-send',
    'A token of the quota comes back a second after its call was sent, not after its answer.',
    'src/operators/rate-limit.ts',
    'let hasValue = false\n',
    'let hasValue = false\n    token.answered()\n',
  ),
  mutant(
    'no-resume',
    'A restarted service does not take up jobs that are running.',
    'src/drive/run-job.ts',
    "return resume(job, () => awaitEnd(job, job.providerJobId ?? ''))",
    'return stop$.pipe(filter(() => false))',
  ),
  mutant(
    'settles-running',
    'A job counts as ended while it is running.',
    'src/drive/await-end.ts',
    "status === 'held' || status >= 2",
    "status === 'held' || status >= 1",
  ),
  mutant(
    'settles-twice',
    'Settling is not idempotent: done again after a lost answer it is done twice.',
    'src/domain/job.ts',
    "settle: { from: ['completed', 'interrupted', 'unknown'], after: ['settled'] }",
    "settle: { from: ['completed', 'interrupted', 'unknown', 'settled'], after: [] }",
  ),
  mutant(
    'endless-attempts',
    'The limit of attempts is forgotten at a re-queue.',
    'src/domain/settlement.ts',
    'move.attempt < policy.maxAttempts ? retry',
    'true ? retry',
  ),
  mutant(
    'interrupted-whole',
    'All devices of an interrupted job are sent again, also those that its file says have moved.',
    'src/domain/settlement.ts',
    'const row = rows.get(move.deviceName)',
    "const row = ended === 'interrupted' ? undefined : rows.get(move.deviceName)",
  ),
  mutant(
    'missing-resent',
    'A device without a row in the file of a completed job is sent again.',
    'src/domain/settlement.ts',
    "return failedFor(move, 'unknown', UNACCOUNTED, null)",
    "return failedFor(move, 'unknown', UNACCOUNTED, again(move))",
  ),
  mutant(
    'look-up-unheeded',
    'A device without a row that was looked up, and has moved, counts as not moved.',
    'src/domain/settlement.ts',
    "if (fate === 'moved') return moved(move, FOUND_MOVED)",
    '',
  ),
  mutant(
    'half-lost',
    'Of a batch that is halved one device is in neither half.',
    'src/domain/refusal.ts',
    'const rest = moves.slice(cut)',
    'const rest = moves.slice(cut + 1)',
  ),
  mutant(
    'position-early',
    'The publishing position is remembered before the transaction, not after it.',
    'src/flows/publish.ts',
    'session.publish(chunk).pipe(',
    'outbox.published(publisher, chunk.lastId).pipe(concatMap(() => session.publish(chunk)),',
  ),
  mutant(
    'position-forgotten',
    "The sink's own word of how far it has published is not heeded.",
    'src/flows/publish.ts',
    'largerOf(session.position, published)',
    'published',
  ),
  mutant(
    'outbox-sequence',
    "Outbox ids come from a sequence, so they become visible out of order (the model's settlement).",
    'test/support/fake-journal/drive.ts',
    'store.outbox.push({ id: store.counters.lastOutboxId, count: job.seqs.length, job })',
    `const row = { id: store.counters.lastOutboxId, count: job.seqs.length, job }
  asyncScheduler.schedule(() => {
    store.outbox.push(row)
    store.outbox.sort((a, b) => Number(a.id - b.id))
  }, row.id % 3n === 0n ? 3_000 : 1)`,
  ),
]

export const mutantOf = (name: string): Mutant => {
  const found = mutants.find(each => each.name === name)
  if (found === undefined) throw new Error(`there is no mutant "${name}"; --mutations lists them`)
  return found
}
