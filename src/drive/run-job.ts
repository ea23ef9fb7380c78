/**
 * One batch's life in its slot: its job is created, and runs until it has ended at the provider. The slot is free again
 * when the stream completes. After an error the slot is kept until the batch is taken up again, since its job may be
 * open. A batch that has not ended stays unfinished in the journal, which offers it again.
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
import type { Slot, SlotSemaphore } from '../operators/semaphore'
import type { CallFailure } from '../ports/job-api'
import type { DriveJournal } from '../ports/journal'
import type { AccountView } from './account-view'
import { createAwaitEnd, type EndedJob } from './await-end'
import { createHoldJob } from './hold-job'
import type { ProviderCalls } from './provider-calls'
import { createReconciliation } from './reconcile-job'
import { createRefuseBatch, type PutOffJob } from './refuse-batch'

/** What comes after the slot. A stream that completes without a result leaves the batch to be claimed again. */
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
  /** Emits (and replays) once when no new job may start. Running jobs are left to the next driver. */
  readonly stop$: Observable<unknown>
}

const noAnswer = 'its create had no answer'
/** Why it is not known whether the create has run. Its sender may have stored an answer with an unrecognised code. */
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
          isSearch: job.search !== null,
        })
        return awaitEnd(job, providerJobId)
      }),
    )

  /**
   * Decides about a create that may have run and is stored as unanswered: its job is adopted, or it is proved absent and
   * `absent` goes on, or the batch is held. `doubt` says for people why it is not known.
   */
  const settleUnknown = (
    job: Job,
    doubt: string,
    absent: () => Observable<SlotResult>,
  ): Observable<SlotResult> =>
    // Stopping ends the search only. What it has found is stored all the same.
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
    // An unrecognised code may mean that the gateway had no answer from behind it. The create may then still run.
    const [doubt, absent] =
      failure.kind === 'unknown'
        ? [
            `its create was answered with the unrecognised code ${failure.code}`,
            () => refuse.refused(job, slot, failure, 'unknown'),
          ]
        : [noAnswer, sentAgain(job)]
    // The settle time counts from now, since the gateway may have received the call only a moment ago.
    return unanswered.pipe(concatMap(() => settleUnknown(job, doubt, absent)))
  }

  /**
   * Whether other people may have taken the slot while the create waited for the quota: a look has shown it, or the
   * latest look is too old to exclude it, as after a freeze. The create then gives its slot back and starts over.
   */
  const mayBeCrowded = (): boolean =>
    slots.ownOpen() + slots.foreignOpen() > slots.capacity || !view.isFresh()

  const withdrawn = ({ batchId }: Job): Observable<never> =>
    journal
      .notCreated(batchId, 'not sent, since others may have taken its slot', false)
      .pipe(ignoreElements())

  const create = (job: Job, slot: Slot): Observable<SlotResult> =>
    defer(() => {
      // The job as stored with the intent. The instant of the intent sets the job apart from older ones in List.
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
        // While the database is away, storing may take minutes. The look may be too old after that.
        concatMap(stored => (mayBeCrowded() ? withdrawn(stored) : of(stored))),
      )
      return calls.create(intent).pipe(
        // A create that is stopped while it waits for the quota does not leave.
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

  /** Slots of batches that rest after an unforeseen error, until they are taken up again. Their jobs may be open. */
  const kept = new Map<number, Slot>()
  const takeKept = ({ batchId }: Job): Slot | undefined => {
    const slot = kept.get(batchId)
    kept.delete(batchId)
    return slot
  }
  /** Releases the slot at the end of `work`, or keeps it after an error until the batch is taken up again. */
  const holding = (job: Job, slot: Slot, work: Observable<SlotResult>): Observable<SlotResult> =>
    work.pipe(
      tap({ error: () => kept.set(job.batchId, slot) }),
      finalize(() => {
        if (kept.get(job.batchId) !== slot) slot.release()
      }),
    )

  /** The looks go on while it waits: other people's jobs may hold every slot, and only a look shows that they end. */
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
      case 'looking-up':
      case 'refused':
      case 'settled':
        throw new Error(`job ${job.batchId} is ${job.status}: there is nothing to run`)
    }
  }
}
