/** Waits until a job has ended at the provider. The shared List shows it; a job that List does not show is queried. */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  filter,
  finalize,
  ignoreElements,
  map,
  type Observable,
  of,
  take,
  takeUntil,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import { type BackoffPolicy, retryDelayMs } from '../domain/retry-policy'
import type { CallFailure, ProviderStatus } from '../ports/job-api'
import type { DriveJournal } from '../ports/journal'
import type { AccountView, Look } from './account-view'
import { createHoldJob } from './hold-job'
import type { ProviderCalls } from './provider-calls'

/**
 * A job that has ended at the provider. Its results are to be fetched and settled. Without a JobId it is not known which
 * listed job it was (`why` says so), but every job that it could be has ended, so looking up its devices decides.
 */
export interface EndedJob {
  readonly kind: 'ended'
  readonly job: Job
  readonly as: 'completed' | 'interrupted'
  readonly why?: string
}

export interface AwaitEndDeps {
  readonly journal: DriveJournal
  readonly calls: ProviderCalls
  readonly view: AccountView
  readonly observe: Observe
  /** Emits (and replays) once when running jobs are to be left to the next driver. */
  readonly stop$: Observable<unknown>
}

/** After this many denials in a row, which take about ten minutes, the job is taken not to exist. */
const maxDenials = 8
const denialPauses: BackoffPolicy = { backoffMs: 5_000, backoffMaxMs: 600_000 }

/** The provider denies the job, as opposed to a failure of the call that may pass. */
const isDenial = ({ kind }: CallFailure): boolean => kind === 'unknown' || kind === 'batch-refused'

/**
 * Emits the ended job. Completes without a value when stopped, and when the job is held because neither List nor Query
 * knows it any longer. People then decide about its devices, and its slot is free for others.
 */
export const createAwaitEnd = (
  deps: AwaitEndDeps,
): ((job: Job, providerJobId: string) => Observable<EndedJob>) => {
  const { journal, calls, view, observe, stop$ } = deps

  const hold = createHoldJob(deps)

  /**
   * The job's status at each look; nothing while it is not known. `wasDenied`: a denial may be stored with the job, from
   * before it was resumed, and is cleared once the job is seen.
   */
  const createStatusOf = (job: Job, providerJobId: string, wasDenied: boolean) => {
    const { batchId } = job
    let denials = 0
    let isInDoubt = wasDenied
    let askFrom = Number.NEGATIVE_INFINITY

    const known = (status: ProviderStatus): Observable<ProviderStatus> => {
      if (denials > 0) observe({ kind: 'job-known-again', batchId, providerJobId })
      denials = 0
      if (!isInDoubt) return of(status)
      isInDoubt = false
      return journal.setLastError(batchId, null).pipe(map(() => status))
    }
    const denied = (why: string): Observable<'held'> => {
      denials += 1
      // The pause grows: a denied job would otherwise cost a call at each look, without end.
      askFrom = asyncScheduler.now() + retryDelayMs(denials, 1, denialPauses)
      if (denials >= maxDenials) return hold(job, why).pipe(map(() => 'held'))
      if (denials > 1) return EMPTY
      isInDoubt = true
      observe({ kind: 'job-denied', batchId, providerJobId, why })
      return journal.setLastError(batchId, why).pipe(ignoreElements())
    }

    const ask = defer(() => calls.query(providerJobId)).pipe(
      concatMap(result => journal.addCalls(batchId, 1).pipe(map(() => result))),
      concatMap((result): Observable<ProviderStatus | 'held'> => {
        if (result.ok) return known(result.value.status)
        const { message, code } = result
        return isDenial(result)
          ? denied(`List does not show job ${providerJobId}, and Query says: ${message} (${code})`)
          : EMPTY
      }),
    )
    return (look: Look): Observable<ProviderStatus | 'held'> => {
      const listed = look.jobs.get(providerJobId)
      if (listed !== undefined) return known(listed.status)
      return asyncScheduler.now() >= askFrom ? ask : EMPTY
    }
  }

  const storeEnd = (job: Job, as: EndedJob['as']): Observable<EndedJob> =>
    journal.markEnded(job.batchId, as).pipe(map(() => ({ kind: 'ended', job, as })))

  return (job, providerJobId) =>
    defer(() => {
      const since = asyncScheduler.now()
      const isResumed = job.status === 'running'
      const statusOf = createStatusOf(job, providerJobId, isResumed)
      view.track(providerJobId, isResumed ? 'resumed' : 'new')
      return view.looks$.pipe(
        filter(look => look.sentAt >= since),
        exhaustMap(statusOf),
        filter(status => status === 'held' || status >= 2),
        take(1),
        takeUntil(stop$),
        concatMap(status =>
          status === 'held'
            ? EMPTY
            : storeEnd({ ...job, providerJobId }, status === 2 ? 'completed' : 'interrupted'),
        ),
        tap(({ as }) => {
          view.ended(providerJobId)
          observe({ kind: 'job-ended', batchId: job.batchId, as, tookMs: asyncScheduler.now() - since })
        }),
        finalize(() => view.untrack(providerJobId)),
      )
    })
}
