/**
 * One batch's life in its slot: create, and wait until its job has ended at the provider. Whatever happens, the
 * stream completes and the slot is free again; a batch that is not through stays unfinished in the journal and is
 * claimed again.
 */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  filter,
  finalize,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  merge,
  type Observable,
  of,
  take,
  takeUntil,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { clashReason, deviceNamesOf, type Job, type JobStatus } from '../domain/job'
import type { RefusalPolicy } from '../domain/refusal'
import type { Slot, SlotSemaphore } from '../operators/slot-semaphore'
import type { CallFailure } from '../ports/job-api'
import type { DriveJournal } from '../ports/journal'
import type { AccountView } from './account-view'
import { createAwaitEnd, type EndedJob } from './await-end'
import { createHoldJob } from './hold-job'
import type { ProviderCalls } from './provider-calls'
import { createReconciliation } from './reconcile-job'
import { createRefuseBatch, type PutOffJob } from './refuse-batch'

/** What a slot hands on. Nothing: the batch may be claimed again at once. */
export type SlotResult = EndedJob | PutOffJob

export interface RunJobDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly slots: SlotSemaphore
  readonly view: AccountView
  readonly observe: Observe
  readonly random: () => number
  readonly policy: RefusalPolicy
  readonly createSettleMs: number
  /** Repeats what failed with `TransientError`, after a pause. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** Emits (and replays) once when no new job may start; running ones are left to the next driver. */
  readonly stop$: Observable<unknown>
}

const noAnswer = 'its create had no answer'
/** By what its sender has stored: perhaps an answer with an unrecognised code. */
const doubtOf = ({ lastError }: Job): string =>
  lastError === null ? noAnswer : `${noAnswer} that tells (${lastError})`

const mayBeOpen: ReadonlySet<JobStatus> = new Set(['creating', 'unknown', 'running'])

export const createRunJob = (deps: RunJobDeps): ((job: Job) => Observable<SlotResult>) => {
  const { journal, slots, view, calls, observe, createSettleMs, stop$ } = deps
  const reconcile = createReconciliation(deps)
  const refuse = createRefuseBatch(deps)
  const awaitEnd = createAwaitEnd(deps)
  const hold = createHoldJob(deps)

  const created = (
    job: Job,
    providerJobId: string,
    binding: Observable<'stored' | 'clash'>,
  ): Observable<EndedJob> =>
    binding.pipe(
      concatMap(stored => {
        refuse.created(job.batchId)
        if (stored === 'clash') {
          observe({ kind: 'job-held', batchId: job.batchId, why: clashReason(providerJobId) })
          return EMPTY
        }
        observe({
          kind: 'job-created',
          batchId: job.batchId,
          providerJobId,
          devices: deviceNamesOf(job).length,
        })
        return awaitEnd(job, providerJobId)
      }),
    )

  /**
   * A create that may have run, stored as unanswered: its job is adopted, or proved absent and then dealt with by
   * `absent`, or held. `doubt`: why nobody knows, for people.
   */
  const settleUnknown = (
    job: Job,
    doubt: string,
    absent: () => Observable<SlotResult>,
  ): Observable<SlotResult> =>
    // What has been found out is stored also while stopping; only the looking ends.
    reconcile(job, asyncScheduler.now() + createSettleMs).pipe(
      takeUntil(stop$),
      concatMap((found): Observable<SlotResult> => {
        switch (found.kind) {
          case 'found':
            observe({ kind: 'create-reconciled', batchId: job.batchId, as: 'adopted' })
            return created(
              { ...job, foundBy: 'list' },
              found.providerJobId,
              journal.adopted(job.batchId, found.providerJobId),
            )
          case 'absent':
            observe({ kind: 'create-reconciled', batchId: job.batchId, as: 'absent' })
            return absent()
          case 'undecidable': {
            const why = `${doubt}, and ${found.why}`
            if (found.allEnded)
              return of({ kind: 'ended', job: { ...job, providerJobId: null }, as: 'completed', why })
            return hold(job, why).pipe(ignoreElements())
          }
        }
      }),
    )
  const sentAgain = (job: Job) => (): Observable<never> =>
    journal.notCreated(job.batchId, 'no job of it is listed', false).pipe(concatMap(() => EMPTY))

  const notAnswered = (job: Job, slot: Slot, failure: CallFailure): Observable<SlotResult> => {
    const why = `${failure.code}: ${failure.message}`
    observe({ kind: 'create-unanswered', batchId: job.batchId, why: failure.code })
    const unanswered = journal.unanswered(job.batchId, why)
    // an unrecognised code may say that something behind the gateway did not answer it: then it may run yet.
    const [doubt, absent] =
      failure.kind === 'unknown'
        ? [
            `its create was answered with the unrecognised code ${failure.code}`,
            () => refuse.refused(job, slot, failure, 'unknown'),
          ]
        : [noAnswer, sentAgain(job)]
    // From now, not from before the wait for the quota: the gateway may have had the call only a moment ago.
    return unanswered.pipe(concatMap(() => settleUnknown(job, doubt, absent)))
  }

  /**
   * While the create waited for the quota, others were seen to take what was free, or nobody has looked for so long that
   * they may have (after a freeze, say). It gives its slot back, and starts over.
   */
  const mayBeCrowded = (): boolean =>
    slots.ownOpen() + slots.foreignOpen() > slots.capacity || !view.isFresh()

  const withdrawn = ({ batchId }: Job): Observable<never> =>
    journal
      .notCreated(batchId, 'not sent, since others may have taken its slot', false)
      .pipe(ignoreElements())

  const create = (job: Job, slot: Slot): Observable<SlotResult> =>
    defer(() => {
      // As stored with the intent: its instant is what tells the job from older ones in the list.
      let intended = job
      let isLeaving = false
      const intent = defer(() => {
        if (mayBeCrowded()) return EMPTY
        isLeaving = true
        return journal.creating(job.batchId)
      }).pipe(
        tap(stored => {
          intended = stored
        }),
        // With the database away it may have taken minutes to store.
        concatMap(stored => (mayBeCrowded() ? withdrawn(stored) : of(stored))),
      )
      return calls.create(intent).pipe(
        // Stopped while it waits for the quota: it is not sent any more.
        takeUntil(stop$.pipe(filter(() => !isLeaving))),
        concatMap(result => journal.addCalls(job.batchId, 1).pipe(map(() => result))),
        concatMap((result): Observable<SlotResult> => {
          if (result.ok) {
            const { providerJobId } = result.value
            return created(intended, providerJobId, journal.created(job.batchId, providerJobId))
          }
          if (result.kind === 'unanswered' || result.kind === 'unknown')
            return notAnswered(intended, slot, result)
          return refuse.refused(job, slot, result, result.kind)
        }),
      )
    })

  /** Slots of batches that rest after an unforeseen error, or wait to be taken up again: their jobs may be open. */
  const kept = new Map<number, Slot>()
  const takeKept = ({ batchId }: Job): Slot | undefined => {
    const slot = kept.get(batchId)
    kept.delete(batchId)
    return slot
  }
  /** Releases the slot in the end, or keeps it until the batch is taken up again. */
  const holding = (job: Job, slot: Slot, work: Observable<SlotResult>): Observable<SlotResult> =>
    work.pipe(
      tap({ error: () => kept.set(job.batchId, slot) }),
      finalize(() => {
        if (kept.get(job.batchId) !== slot) slot.release()
      }),
    )

  /** Looks on while it waits: other people's jobs may hold every slot, and nobody else would see them end. */
  const enter = defer(() => merge(slots.enter(), view.looks$.pipe(ignoreElements())).pipe(take(1)))

  const start = (job: Job): Observable<SlotResult> =>
    view.fresh().pipe(
      concatMap(() => enter),
      takeUntil(stop$),
      concatMap(slot => holding(job, slot, create(job, slot))),
    )

  const resume = (job: Job, work: (slot: Slot) => Observable<SlotResult>): Observable<SlotResult> =>
    defer(() => {
      const slot = takeKept(job) ?? slots.adopt()
      observe({ kind: 'job-resumed', batchId: job.batchId, status: job.status })
      return holding(job, slot, work(slot))
    })

  return job => {
    if (!mayBeOpen.has(job.status)) takeKept(job)?.release()
    switch (job.status) {
      case 'claimed':
        return start(job)
      case 'creating':
        return resume(job, () =>
          journal
            .unanswered(job.batchId, 'its sender ended before the answer was stored')
            .pipe(concatMap(() => settleUnknown(job, noAnswer, sentAgain(job)))),
        )
      case 'unknown':
        return resume(job, () => defer(() => settleUnknown(job, doubtOf(job), sentAgain(job))))
      case 'running':
        return resume(job, () => awaitEnd(job, job.providerJobId ?? ''))
      case 'completed':
      case 'interrupted':
        return of({ kind: 'ended', job, as: job.status })
      case 'refused':
      case 'settled':
        throw new Error(`job ${job.batchId} is ${job.status}: there is nothing to run`)
    }
  }
}
