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
  exhaustMap,
  filter,
  finalize,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  take,
  takeUntil,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import type { RefusalPolicy } from '../domain/refusal'
import type { JobSlots, Slot } from '../operators/slots'
import type { DriveJournal, ProviderStatus } from '../ports'
import type { AccountView } from './account-view'
import type { ProviderCalls } from './provider-calls'
import { createReconciliation } from './reconcile-job'
import { createRefuseBatch, type PutOffJob } from './refuse-batch'

/** The job has ended at the provider: its results are to be fetched and settled. */
export interface EndedJob {
  readonly kind: 'ended'
  readonly job: Job
  readonly as: 'completed' | 'interrupted'
}

/** What a slot hands on. Nothing: the batch may be claimed again at once. */
export type JobStep = EndedJob | PutOffJob

export interface RunJobDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly slots: JobSlots
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

export const createRunJob = (deps: RunJobDeps): ((job: Job) => Observable<JobStep>) => {
  const { journal, calls, slots, view, observe, stop$ } = deps
  const reconcile = createReconciliation(deps)
  const refuse = createRefuseBatch(deps)

  /** The job's status in a look, or by its own Query where the List does not show it. */
  const statusOf = (
    jobId: number,
    providerJobId: string,
    listed: ProviderStatus | undefined,
  ): Observable<ProviderStatus> =>
    listed !== undefined
      ? of(listed)
      : calls.query(providerJobId).pipe(
          concatMap(result => journal.spent(jobId, 1).pipe(map(() => result))),
          concatMap(result => (result.ok ? of(result.value.status) : EMPTY)),
        )

  const storeEnd = (job: Job, as: EndedJob['as']): Observable<EndedJob> =>
    journal.ended(job.jobId, as).pipe(map(() => ({ kind: 'ended', job, as })))

  const awaitEnd = (job: Job, providerJobId: string): Observable<EndedJob> =>
    defer(() => {
      const since = asyncScheduler.now()
      view.track(providerJobId)
      return view.looks$.pipe(
        filter(look => look.sentAt >= since),
        exhaustMap(look => statusOf(job.jobId, providerJobId, look.jobs.get(providerJobId)?.status)),
        filter(status => status >= 2),
        take(1),
        takeUntil(stop$),
        concatMap(status => storeEnd({ ...job, providerJobId }, status === 2 ? 'completed' : 'interrupted')),
        tap(({ as }) => {
          const tookMs = asyncScheduler.now() - since
          view.ended(providerJobId, tookMs)
          observe({ kind: 'job-ended', jobId: job.jobId, as, tookMs })
        }),
        finalize(() => view.untrack(providerJobId)),
      )
    })

  const created = (job: Job, providerJobId: string): Observable<EndedJob> =>
    journal.created(job.jobId, providerJobId).pipe(
      tap(() => {
        refuse.forget(job.jobId)
        observe({ kind: 'job-created', jobId: job.jobId, providerJobId, devices: deviceNamesOf(job).length })
      }),
      concatMap(() => awaitEnd(job, providerJobId)),
    )

  const create = (job: Job, slot: Slot): Observable<JobStep> =>
    defer(() => {
      // As stored with the intent: its instant is what tells the job from older ones in the list.
      let stored = job
      const intent = journal.creating(job.jobId).pipe(
        tap(creating => {
          stored = creating
        }),
      )
      return calls.create(intent).pipe(
        concatMap(result => journal.spent(job.jobId, 1).pipe(map(() => result))),
        concatMap((result): Observable<JobStep> => {
          if (result.ok) return created(job, result.value.providerJobId)
          if (result.kind !== 'unanswered') return refuse.refused(job, slot, result, result.kind)
          observe({ kind: 'create-unanswered', jobId: job.jobId, why: result.code })
          // From now, not from before the wait for the quota: the gateway may have had the call only a moment ago.
          return journal
            .unanswered(job.jobId, `${result.code}: ${result.message}`)
            .pipe(concatMap(() => settleUnknown(stored, asyncScheduler.now())))
        }),
      )
    })

  /** A create that may have run: adopted, or proved absent and so free to be sent again. */
  const settleUnknown = (job: Job, seenAt: number): Observable<EndedJob> =>
    reconcile(job, seenAt).pipe(
      concatMap(providerJobId => created(job, providerJobId)),
      takeUntil(stop$),
    )

  const start = (job: Job): Observable<JobStep> =>
    view.fresh().pipe(
      concatMap(() => slots.enter()),
      takeUntil(stop$),
      concatMap(slot => create(job, slot).pipe(finalize(() => slot.release()))),
    )

  const resume = (job: Job, work: Observable<EndedJob>): Observable<EndedJob> =>
    defer(() => {
      const slot = slots.adopt()
      observe({ kind: 'job-resumed', jobId: job.jobId, status: job.status })
      return work.pipe(finalize(() => slot.release()))
    })

  return job => {
    switch (job.status) {
      case 'claimed':
        return start(job)
      case 'creating':
        return resume(
          job,
          journal
            .unanswered(job.jobId, 'its sender ended before the answer was stored')
            .pipe(concatMap(() => settleUnknown(job, asyncScheduler.now()))),
        )
      case 'unknown':
        return resume(
          job,
          defer(() => settleUnknown(job, asyncScheduler.now())),
        )
      case 'running':
        return resume(job, awaitEnd(job, job.providerJobId ?? ''))
      case 'completed':
      case 'interrupted':
        return of({ kind: 'ended', job, as: job.status })
      case 'refused':
      case 'settled':
        throw new Error(`job ${job.jobId} is ${job.status}: there is nothing to run`)
    }
  }
}
