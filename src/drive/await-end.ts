/** Waits until a job has ended at the provider: by the shared List, or by its own Query where List does not show it. */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  exhaustMap,
  filter,
  finalize,
  map,
  type Observable,
  of,
  take,
  takeUntil,
  tap,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { Job } from '../domain/job'
import { exponentialMs } from '../domain/retry-policy'
import type { CallFailure, DriveJournal, ProviderStatus } from '../ports'
import type { AccountView, Look } from './account-view'
import type { ProviderCalls } from './provider-calls'

/**
 * The job has ended at the provider: its results are to be fetched and settled. Without a JobId nobody knows which one
 * it was (`why`), but all that could be it have ended: its devices tell.
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

/** Told so often in a row, over ten minutes, that a job does not exist, one believes it. */
const maxDenials = 8
const firstDenialPauseMs = 5_000

/** Refused for good as far as anybody can tell; not a passing trouble of the call. */
const isDenial = ({ kind }: CallFailure): boolean => kind === 'unknown' || kind === 'batch-refused'

/**
 * Emits the ended job; completes without it when stopped, or when the job is held because neither List nor Query
 * knows it (any longer): what became of its devices has to be looked up, and its slot serves others.
 */
export const createAwaitEnd = (
  deps: AwaitEndDeps,
): ((job: Job, providerJobId: string) => Observable<EndedJob>) => {
  const { journal, calls, view, observe, stop$ } = deps

  const hold = (job: Job, why: string): Observable<'held'> =>
    journal.hold(job, why).pipe(
      tap(() => observe({ kind: 'job-held', jobId: job.jobId, why })),
      map(() => 'held'),
    )

  /** Its status by each look; nothing while that is not known. */
  const createStatusOf = (job: Job, providerJobId: string) => {
    let denials = 0
    let askFrom = Number.NEGATIVE_INFINITY
    const ask = defer(() => calls.query(providerJobId)).pipe(
      concatMap(result => journal.spent(job.jobId, 1).pipe(map(() => result))),
      concatMap((result): Observable<ProviderStatus | 'held'> => {
        if (result.ok) {
          denials = 0
          return of(result.value.status)
        }
        if (!isDenial(result)) return EMPTY
        denials += 1
        // Such a job would spend a call at each look, and never end.
        askFrom = asyncScheduler.now() + exponentialMs(denials, firstDenialPauseMs)
        return denials < maxDenials
          ? EMPTY
          : hold(
              job,
              `List does not show job ${providerJobId}, and Query says: ${result.message} (${result.code})`,
            )
      }),
    )
    return (look: Look): Observable<ProviderStatus | 'held'> => {
      const listed = look.jobs.get(providerJobId)
      if (listed !== undefined) {
        denials = 0
        return of(listed.status)
      }
      return asyncScheduler.now() >= askFrom ? ask : EMPTY
    }
  }

  const storeEnd = (job: Job, as: EndedJob['as']): Observable<EndedJob> =>
    journal.ended(job.jobId, as).pipe(map(() => ({ kind: 'ended', job, as })))

  return (job, providerJobId) =>
    defer(() => {
      const since = asyncScheduler.now()
      const statusOf = createStatusOf(job, providerJobId)
      view.track(providerJobId, job.status === 'running' ? 'resumed' : 'new')
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
          observe({ kind: 'job-ended', jobId: job.jobId, as, tookMs: asyncScheduler.now() - since })
        }),
        finalize(() => view.untrack(providerJobId)),
      )
    })
}
