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
import { NEVER_OVERDUE_MS } from '../domain/job-length'
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

/** `let-go`: the job's end is awaited no longer. It is held for people, or they have decided about it already. */
type Seen = ProviderStatus | 'let-go'

/**
 * Emits the ended job. Completes without a value when stopped, when the job is held because neither List nor Query knows it
 * any longer, and when an operator has resolved it while it ran. Its slot is then free, unless List shows the job: as one
 * that is not ours it takes a slot until it ends.
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

    const known = (status: ProviderStatus): Observable<Seen> => {
      if (denials > 0) observe({ kind: 'job-known-again', batchId, providerJobId })
      denials = 0
      if (!isInDoubt) return of(status)
      isInDoubt = false
      return journal.setLastError(batchId, null).pipe(map(() => status))
    }
    const denied = (why: string): Observable<Seen> => {
      denials += 1
      // The pause grows: a denied job would otherwise cost a call at each look, without end.
      askFrom = asyncScheduler.now() + retryDelayMs(denials, 1, denialPauses)
      if (denials >= maxDenials) return hold(job, why).pipe(map(() => 'let-go'))
      if (denials > 1) return EMPTY
      isInDoubt = true
      observe({ kind: 'job-denied', batchId, providerJobId, why })
      return journal.setLastError(batchId, why).pipe(ignoreElements())
    }

    const ask = defer(() => calls.query(providerJobId)).pipe(
      concatMap(result => journal.addCalls(batchId, 1).pipe(map(() => result))),
      concatMap((result): Observable<Seen> => {
        if (result.ok) return known(result.value.status)
        const { message, code } = result
        return isDenial(result)
          ? denied(`List does not show job ${providerJobId}, and Query says: ${message} (${code})`)
          : EMPTY
      }),
    )
    return (look: Look): Observable<Seen> => {
      const listed = look.jobs.get(providerJobId)
      if (listed !== undefined) return known(listed.status)
      return asyncScheduler.now() >= askFrom ? ask : EMPTY
    }
  }

  /**
   * Watches for how long the job runs. Once it is old, each look at it first asks whether an operator has resolved it. Nobody
   * can resolve a younger one.
   */
  const createOverdueWatch = (job: Job, providerJobId: string, startedAt: number) => {
    const { batchId } = job
    let isTold = false
    return (statusOf: Observable<Seen>): Observable<Seen> => {
      const ageMs = asyncScheduler.now() - startedAt
      if (ageMs < NEVER_OVERDUE_MS) return statusOf
      const mostMs = view.overdueAfterMs()
      if (ageMs >= mostMs && !isTold) {
        isTold = true
        observe({ kind: 'job-overdue', batchId, providerJobId, ageMs, mostMs })
      }
      return journal
        .isResolved(job)
        .pipe(
          concatMap(
            (isResolved): Observable<Seen> => (isResolved ? letGo(batchId, providerJobId) : statusOf),
          ),
        )
    }
  }
  const letGo = (batchId: number, providerJobId: string): Observable<'let-go'> =>
    defer(() => {
      observe({ kind: 'job-resolved', batchId, providerJobId })
      return of('let-go' as const)
    })

  const storeEnd = (job: Job, as: EndedJob['as']): Observable<EndedJob> =>
    journal
      .markEnded(job, as)
      .pipe(
        concatMap((isStored): Observable<EndedJob> => (isStored ? of({ kind: 'ended', job, as }) : EMPTY)),
      )

  return (job, providerJobId) =>
    defer(() => {
      const since = asyncScheduler.now()
      const isResumed = job.status === 'running'
      const statusOf = createStatusOf(job, providerJobId, isResumed)
      const unlessResolved = createOverdueWatch(job, providerJobId, job.createStartedAt ?? since)
      view.track(providerJobId, isResumed ? 'resumed' : 'new')
      return view.looks$.pipe(
        filter(look => look.sentAt >= since),
        exhaustMap(look => unlessResolved(statusOf(look))),
        filter(status => status === 'let-go' || status >= 2),
        take(1),
        takeUntil(stop$),
        concatMap(status =>
          status === 'let-go'
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
