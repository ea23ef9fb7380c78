/**
 * Defects that the simulation has to find: plausible mistakes in our own code, each planted while that is loaded. Each
 * is a piece of syntax and what it becomes (`find-place.ts`). Some stand for the journal's SQL, which does not run
 * here: they change the journal in memory.
 */
import type { Edit } from './find-place'

export interface Mutant extends Edit {
  readonly name: string
  readonly what: string
}

export const mutants: readonly Mutant[] = [
  {
    name: 'offset-early',
    what: 'An offset is committed before its records are in the journal.',
    inside: 'intake$',
    find: 'from($parts).pipe($append, $$$between, tap({ complete: $done }), $$$rest)',
    replace: 'from($parts).pipe(tap($done), $append, $$$between, tap({ complete: $done }), $$$rest)',
  },
  {
    name: 'append-without-check',
    what: "Records are appended whatever position they continue from (the model's append).",
    inside: 'createFakeIntake',
    find: '$chunk.continuesFrom !== null && $isBehind',
    replace: 'false',
  },
  {
    name: 'stop-not-stored',
    what: 'That a partition holds another log is not stored, so no operator can accept it.',
    inside: 'intake$',
    find: '$journal.stop($log, $reason)',
    replace: 'EMPTY',
  },
  {
    name: 'intent-late',
    what: 'The intent to create is stored after the call instead of before it.',
    inside: 'createRunJob',
    find: '$calls.create($intent).pipe($$$rest)',
    replace: '$calls.create(of(job)).pipe(concatMap(result => $intent.pipe(map(() => result))), $$$rest)',
  },
  {
    name: 'create-again',
    what: 'A create without an answer is sent again without looking for its job.',
    inside: 'notAnswered',
    find: 'settleUnknown($job, $doubt, $absent)',
    replace: '$absent()',
  },
  {
    name: 'absent-early',
    what: 'The List is trusted before CREATE_SETTLE_MS is over: a job not in it counts as absent.',
    inside: 'createReconciliation',
    find: 'timer(Math.max(0, $listedFrom - asyncScheduler.now()))',
    replace: 'timer(0)',
  },
  {
    name: 'adopts-any-size',
    what: 'A job in the List is taken for ours although it has another number of devices.',
    find: '$listed.total === $job.total',
    replace: 'true',
  },
  {
    name: 'adopts-own',
    what: 'A job in the List is taken for that of an unanswered create although it is known as ours.',
    inside: 'findCandidates',
    find: '!$own.has($listed.providerJobId)',
    replace: 'true',
  },
  {
    name: 'keeps-strangers',
    what: "An adopted job is kept although its result file tells of other people's devices only.",
    inside: 'decideOnResults',
    find: '$so.isFound',
    replace: 'false',
  },
  {
    name: 'two-creates',
    what: "The journal claims a route while a create of it has no answer yet (the model's claim).",
    find: '!$unanswered.has($route.lookAlike)',
    replace: 'true',
  },
  {
    name: 'repeats-sent',
    what: 'A request that comes twice is carried out twice.',
    inside: 'repeatsAmong',
    find: '$attempt === 1 && $isKnown',
    replace: '$attempt === 0 && $isKnown',
  },
  {
    name: 'no-waiting',
    what: 'A device is sent although a request of it is in another job.',
    find: '$waitsFor === null ? send : $wait',
    replace: 'send',
  },
  {
    name: 'slot-early',
    what: 'A slot is free when its job is created, not when it has ended.',
    inside: 'createRunJob',
    find: 'created($job, $id, $journal.created($batchId, $id))',
    replace: '(slot.release(), created($job, $id, $journal.created($batchId, $id)))',
  },
  {
    name: 'strangers-uncounted',
    what: "Other people's open jobs are not counted.",
    find: '$slots.foreign($count)',
    replace: '$slots.foreign(0)',
  },
  {
    name: 'waits-blindly',
    what: 'Whoever waits for a slot does not look at the account meanwhile.',
    find: 'merge($slots.enter(), $looks)',
    replace: 'merge($slots.enter())',
  },
  {
    name: 'no-lease-check',
    what: 'A call leaves without a look at the lease.',
    inside: 'timed',
    find: '!mayCall()',
    replace: 'false',
  },
  {
    name: 'unfenced',
    what: "The journal takes what the holder of an old epoch writes (the model's guard).",
    inside: 'checkEpoch',
    find: '$epoch !== $lease.epoch',
    replace: 'false',
  },
  {
    name: 'token-at-send',
    what: 'A token of the quota comes back a second after its call was sent, not after its answer.',
    find: '$call.pipe(tap({ next: $next, error: $token.answered, complete: $token.answered }), $$$rest)',
    replace:
      '($token.answered(), $call.pipe(tap({ next: $next, error: $token.answered, complete: $token.answered }), $$$rest))',
  },
  {
    name: 'no-resume',
    what: 'A restarted service does not take up jobs that are running.',
    find: 'resume($job, () => awaitEnd($job, $id))',
    replace: 'stop$.pipe(filter(() => false))',
  },
  {
    name: 'settles-running',
    what: 'A job counts as ended while it is running.',
    find: "$status === 'let-go' || $status >= 2",
    replace: "$status === 'let-go' || $status >= 1",
  },
  {
    name: 'resolved-unheeded',
    what: 'The driver goes on waiting for the end of a job that an operator has resolved.',
    find: '$journal.isResolved($job)',
    replace: 'of(false)',
  },
  {
    name: 'settles-twice',
    what: 'Settling is not idempotent: done again after a lost answer it is done twice.',
    find: "{ $$$before, settle: { from: [$$$from], after: [$left, 'settled'] }, $$$after }",
    replace: "{ $$$before, settle: { from: [$$$from, 'settled'], after: [$left] }, $$$after }",
  },
  {
    name: 'endless-attempts',
    what: 'The limit of attempts is forgotten at a re-queue.',
    find: '$move.attempt < $policy.maxAttempts ? $retry : null',
    replace: '$retry',
  },
  {
    name: 'interrupted-whole',
    what: 'All devices of an interrupted job are sent again, also those that its file says have moved.',
    inside: 'deriveVerdicts',
    find: 'rows.get($name)',
    replace: "(ended === 'interrupted' ? undefined : rows.get($name))",
  },
  {
    name: 'missing-resent',
    what: 'A device without a row in the file of a completed job is sent again.',
    inside: 'deriveVerdicts',
    find: "failedFor($move, 'unknown', $text, null)",
    replace: "failedFor($move, 'unknown', $text, again($move))",
  },
  {
    name: 'look-up-unheeded',
    what: 'A device without a row that was looked up, and has moved, counts as not moved.',
    inside: 'deriveVerdicts',
    find: "$fate === 'moved'",
    replace: 'false',
  },
  {
    name: 'half-lost',
    what: 'Of a batch that is halved one device is in neither half.',
    inside: 'halveBatch',
    find: '$moves.slice($cut)',
    replace: '$moves.slice($cut + 1)',
  },
  {
    name: 'fail-when-budget-spent',
    what: 'A search ends after some refusals, and all devices fail that are left.',
    inside: 'decideOnPiece',
    find: "$devices > 1 ? { kind: 'halve' } : { kind: 'fail' }",
    replace: "$devices > 1 && search.refusals < 4 ? { kind: 'halve' } : { kind: 'fail' }",
  },
  {
    name: 'hold-not-stored',
    what: 'The hold of a refused route is reported and not stored.',
    inside: 'createRefuseBatch',
    find: '$journal.holdRoute($batchId, $why)',
    replace: '$journal.notCreated($batchId, $why, false)',
  },
  {
    name: 'cancelled-sent',
    what: 'A batch that was cancelled while a driver had it in hand is sent (the model).',
    find: "$job.status === 'settled' && $job.providerJobId === null",
    replace: 'false',
  },
  {
    name: 'claims-as-large',
    what: 'A claim that took too long is tried again as large as before.',
    inside: 'afterTimeLimit',
    find: 'Math.max(1, $half)',
    replace: 'moves',
  },
  {
    name: 'rest-never-released',
    what: "Of moves that are released in slices the rest is forgotten (the model's settlement).",
    inside: 'releaseWaiting',
    find: '$store.releaseDue.add($waitsFor)',
    replace: 'void 0',
  },
  {
    name: 'position-early',
    what: 'The publishing position is remembered before the transaction, not after it.',
    find: '$session.publish($chunk).pipe($$$before, concatMap(() => $remembered), $$$after)',
    replace:
      '$remembered.pipe(concatMap(() => $session.publish($chunk)), $$$before, concatMap(() => $remembered), $$$after)',
  },
  {
    name: 'position-forgotten',
    what: "The sink's own word of how far it has published is not heeded.",
    find: 'largerOf($session.position, $published)',
    replace: '$published',
  },
  {
    name: 'outbox-sequence',
    what: "Outbox ids come from a sequence, so they become visible out of order (the model's settlement).",
    find: '$store.outbox.push({ id: $id, count: $count, job, seqs, at: $at })',
    replace: `void (row =>
    asyncScheduler.schedule(() => {
      $store.outbox.push(row)
      $store.outbox.sort((a, b) => Number(a.id - b.id))
    }, row.id % 3n === 0n ? 3_000 : 1))({ id: $id, count: $count, job, seqs, at: $at })`,
  },
  {
    name: 'look-ups-hold-slots',
    what: 'Nothing is claimed while devices of ended jobs are looked up.',
    inside: 'driveWith',
    find: '$journal.claim($inHand, $piece).pipe($$$after)',
    replace: `$journal.nextUntold().pipe(mergeMap(job =>
      job === null
        ? $journal.claim($inHand, $piece).pipe($$$after)
        : timer(1_000).pipe(ignoreElements())))`,
  },
  {
    name: 'untold-resent',
    what: 'Devices that the file of an interrupted job does not tell of are sent again without looking them up.',
    inside: 'createSettleJob',
    find: '$isBeyond ? $untold.slice(0, $most) : $untold',
    replace: "(ended.as === 'interrupted' ? [] : $untold)",
  },
  {
    name: 'forgotten-not-awaited',
    what: 'Routes go on before the results of forgotten jobs that look like them are read.',
    inside: 'createForgottenJobs',
    find: 'awaitEnd($job).pipe($$$rest)',
    replace: 'of<Read>({ kind: "told", rows: new Map() }).pipe(concatMap(result => keep($job, result)))',
  },
  {
    name: 'forgotten-never-held',
    what: 'A forgotten job that never ends keeps its routes waiting, and nobody is told.',
    inside: 'createOverdueWatch',
    find: '$now - $since < view.overdueAfterMs()',
    replace: 'true',
  },
  {
    name: 'untold-not-excluded',
    what: "A later request of a device is sent while it is looked up where an earlier one has left it (the model's claim).",
    inside: 'othersOf',
    find: 'stateOf($place.route, $place.seq)',
    replace: `([...store.unfinished].some(job =>
      job.status === 'looking-up' && job.route === $place.route && job.seqs.includes($place.seq))
      ? null
      : stateOf($place.route, $place.seq))`,
  },
]

export const mutantOf = (name: string): Mutant => {
  const found = mutants.find(each => each.name === name)
  if (found === undefined) throw new Error(`there is no mutant "${name}"; --mutations lists them`)
  return found
}
