/**
 * Which jobs are open in the account, as one shared List shows it. One call polls all our open jobs, and shows how many
 * slots other people use. More calls are needed only where one page does not tell (`open-beyond-page.ts`).
 */
import {
  asyncScheduler,
  concatMap,
  defer,
  filter,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  take,
} from 'rxjs'
import { createLearntMean, overdueAfterMs, pollIntervalMs } from '../domain/job-length'
import type { SlotSemaphore } from '../operators/semaphore'
import { createSharedPoll } from '../operators/shared-poll'
import type { CallResult, ListedJob, ListPage, ListQuery } from '../ports/job-api'
import { createOpenBeyondPage } from './open-beyond-page'
import { type ProviderCalls, transientThrown } from './provider-calls'

/** A create may leave at most this long after the start of a look, ms: the longest poll interval and the look itself. */
const freshMs = 40_000

export interface Look {
  /** When the List left (asyncScheduler.now()). It proves nothing about a job whose create was answered later. */
  readonly sentAt: number
  readonly jobs: ReadonlyMap<string, ListedJob>
}

export interface AccountView {
  readonly looks$: Observable<Look>
  /**
   * Emits once a fresh look exists. A List that is refused with an unrecognised code counts as a look without jobs. One
   * that is refused for the account is done again.
   */
  fresh(): Observable<void>
  /** Whether the latest look was begun at most 40 s ago, and after the last `outdate`. */
  isFresh(): boolean
  /** No look begun before now is fresh any longer. Called when a create was refused for want of a slot. */
  outdate(): void
  /** Counts the job as ours. The running time of a resumed job is unknown. */
  track(providerJobId: string, as: 'new' | 'resumed'): void
  /** The latest look has shown that the job has ended. */
  ended(providerJobId: string): void
  /** Follows the job no longer, although it may still be open. */
  untrack(providerJobId: string): void
  /** The age from which a running job is overdue, ms. It follows how long jobs take. */
  overdueAfterMs(): number
}

export interface AccountViewDeps {
  readonly calls: ProviderCalls
  readonly slots: SlotSemaphore
  readonly capacity: number
  /** Mean time of earlier jobs, ms; null when there are none. */
  readonly meanJobMs: number | null
  /** A job is overdue after so many times the mean. */
  readonly overdueFactor: number
  /** Repeats what failed with `TransientError` after a growing pause, since each try costs a call. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** Called when a look failed for another reason. It is done again after the poll interval. */
  readonly onError: (error: unknown) => void
}

interface Tracked {
  readonly as: 'new' | 'resumed'
  readonly since: number
}

/**
 * A List that may not be called is tried again after this time, ms. The provider's documents contradict each other on
 * whether Enterprise instances may call it.
 */
const refusedForMs = 60_000

export const createAccountView = ({
  calls,
  slots,
  capacity,
  meanJobMs,
  overdueFactor,
  again,
  onError,
}: AccountViewDeps): AccountView => {
  /** Our open jobs, by the provider's job id. */
  const tracked = new Map<string, Tracked>()
  /** All jobs that are open as far as the looks have shown, ours and other people's. */
  let open = new Set<string>()
  let lookedAt = Number.NEGATIVE_INFINITY
  /** When the latest look was begun. In a frozen process its answer may have lain unread since then. */
  let seenAt = Number.NEGATIVE_INFINITY
  /** When the look before the latest ended. */
  let lookedBefore = Number.NEGATIVE_INFINITY
  let outdatedAt = Number.NEGATIVE_INFINITY
  let refusedUntil = Number.NEGATIVE_INFINITY
  const length = createLearntMean(meanJobMs)

  const recountForeign = (): void => {
    slots.foreign([...open].filter(id => !tracked.has(id)).length)
  }

  const nothing: ListPage = { jobs: [], nextToken: null, total: 0 }
  const isRefused = (): boolean => asyncScheduler.now() < refusedUntil
  const list = (query: ListQuery): Observable<CallResult<ListPage>> =>
    calls.list(query).pipe(concatMap(transientThrown))
  const beyondPage = createOpenBeyondPage(list)

  const first = defer(() =>
    isRefused()
      ? of(nothing)
      : list({}).pipe(
          map(result => {
            if (result.ok) return result.value
            // Until then each job is asked for by its own Query (`await-end.ts`).
            refusedUntil = asyncScheduler.now() + refusedForMs
            return nothing
          }),
        ),
  )

  const beyondOf = (page: ListPage): Observable<readonly ListedJob[] | null> => {
    if (isRefused()) return of(null)
    const { jobs, nextToken } = page
    if (nextToken === null) return of([])
    return beyondPage.after({ jobs, nextToken }, { open, isOwn: id => tracked.has(id) })
  }

  const look = defer(() => {
    const startedAt = asyncScheduler.now()
    return first.pipe(
      concatMap(page => beyondOf(page).pipe(map(beyond => ({ page, beyond })))),
      map(({ page, beyond }) => {
        const jobs = new Map([...page.jobs, ...(beyond ?? [])].map(job => [job.providerJobId, job]))
        lookedBefore = lookedAt
        lookedAt = asyncScheduler.now()
        seenAt = startedAt
        const listed = [...jobs.values()].filter(job => job.status < 2).map(job => job.providerJobId)
        // What was not looked for, and what a refused List cannot show, still counts as it was known.
        const unseen = beyond === null ? [...open].filter(id => !jobs.has(id)) : []
        open = new Set([...listed, ...unseen])
        recountForeign()
        return { jobs }
      }),
    )
  })

  const intervalMs = (): number => {
    const oldest = Math.min(...[...tracked.values()].map(job => job.since))
    const oldestOpenAgeMs = Number.isFinite(oldest) ? asyncScheduler.now() - oldest : 0
    return pollIntervalMs({ meanJobMs: length.meanMs(), oldestOpenAgeMs, slots: capacity })
  }
  const looks$ = createSharedPoll({ look, intervalMs, again: again(), onError })

  // A look that was under way when a create was refused may show a slot as free that somebody has taken since.
  const isFresh = (): boolean => seenAt >= outdatedAt && asyncScheduler.now() - seenAt <= freshMs

  return {
    looks$,
    isFresh,
    fresh: () =>
      defer(() =>
        isFresh()
          ? of(undefined)
          : looks$.pipe(
              filter(isFresh),
              take(1),
              map(() => undefined),
            ),
      ),
    outdate: () => {
      outdatedAt = asyncScheduler.now()
    },
    track: (providerJobId, as) => {
      tracked.set(providerJobId, { as, since: asyncScheduler.now() })
      recountForeign()
    },
    ended: providerJobId => {
      const job = tracked.get(providerJobId)
      // The job ended at some time between the last two looks, so the middle is taken.
      if (job?.as === 'new') length.learn((lookedAt + Math.max(lookedBefore, job.since)) / 2 - job.since)
      tracked.delete(providerJobId)
      open.delete(providerJobId)
      recountForeign()
    },
    untrack: providerJobId => {
      tracked.delete(providerJobId)
      recountForeign()
    },
    overdueAfterMs: () => overdueAfterMs(length.meanMs(), overdueFactor),
  }
}
