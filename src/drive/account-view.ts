/**
 * What is open in the account, seen through one shared List: it polls all our open jobs with one call, and shows
 * how many slots other people use.
 */
import {
  asyncScheduler,
  concatMap,
  defer,
  EMPTY,
  expand,
  filter,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  reduce,
  take,
  tap,
} from 'rxjs'
import { createLearntMean, pollIntervalMs } from '../domain/poll-interval'
import { createSharedPoll } from '../operators/shared-poll'
import type { SlotSemaphore } from '../operators/slot-semaphore'
import type { ListedJob, ListPage } from '../ports/job-api'
import { type ProviderCalls, transientThrown } from './provider-calls'

/** Pages of 200 looked through for jobs of ours that the first page does not show. */
const maxPages = 5
/** Before a create, the account must have been looked at within this time. Above the longest poll interval and a look. */
const freshMs = 40_000

export interface Look {
  /** When the List left: it proves nothing about a job whose create was answered later. */
  readonly sentAt: number
  readonly jobs: ReadonlyMap<string, ListedJob>
}

export interface AccountView {
  readonly looks$: Observable<Look>
  /**
   * Emits once somebody has looked lately. A List that is refused with an unrecognised code counts as a look that saw
   * nothing; one that is refused for the account is done again.
   */
  fresh(): Observable<void>
  /** Whether somebody has looked lately. */
  isFresh(): boolean
  /** A create was refused for want of a slot: no look begun before is fresh any longer. */
  outdate(): void
  /**
   * A job of ours that holds a slot here: it is not other people's. Of one that was resumed nobody knows how long it
   * has been running.
   */
  track(providerJobId: string, as: 'new' | 'resumed'): void
  /** The latest look has shown that it has ended. */
  ended(providerJobId: string): void
  /** Not followed any longer, and perhaps still open. */
  untrack(providerJobId: string): void
}

export interface AccountViewDeps {
  readonly calls: ProviderCalls
  readonly slots: SlotSemaphore
  readonly capacity: number
  /** Mean of earlier jobs; null if there are none. */
  readonly meanJobMs: number | null
  /** Repeats what failed with `TransientError`, after a pause that grows: each try costs a call. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** A look that failed for another reason, and will be done again. */
  readonly onError: (error: unknown) => void
}

interface Tracked {
  readonly as: 'new' | 'resumed'
  readonly since: number
}

/** A List that is refused for good is tried again so often: the provider contradicts itself on whether it may be. */
const refusedForMs = 60_000

export const createAccountView = ({
  calls,
  slots,
  capacity,
  meanJobMs,
  again,
  onError,
}: AccountViewDeps): AccountView => {
  /** Our open jobs. */
  const tracked = new Map<string, Tracked>()
  /** Open jobs of the last look, anybody's. */
  let open = new Set<string>()
  let lookedAt = Number.NEGATIVE_INFINITY
  /** When the latest look was begun: what it saw may have lain unread since then, in a frozen process. */
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

  const page = (nextToken: string | null): Observable<ListPage> =>
    isRefused()
      ? of(nothing)
      : calls.list(nextToken === null ? {} : { nextToken }).pipe(
          concatMap(transientThrown),
          map(result => {
            if (result.ok) return result.value
            // Query a job takes over.
            refusedUntil = asyncScheduler.now() + refusedForMs
            return nothing
          }),
        )

  const look = defer(() => {
    const startedAt = asyncScheduler.now()
    const missing = new Set(tracked.keys())
    return page(null).pipe(
      expand((found, index) => {
        for (const job of found.jobs) missing.delete(job.providerJobId)
        return found.nextToken !== null && missing.size > 0 && index + 1 < maxPages
          ? page(found.nextToken)
          : EMPTY
      }),
      reduce(
        (jobs, found) => found.jobs.reduce((all, job) => all.set(job.providerJobId, job), jobs),
        new Map<string, ListedJob>(),
      ),
      tap(jobs => {
        lookedBefore = lookedAt
        lookedAt = asyncScheduler.now()
        seenAt = startedAt
        // Refused, it saw nothing: what was known to be open still counts.
        if (isRefused()) return
        open = new Set([...jobs.values()].filter(job => job.status < 2).map(job => job.providerJobId))
        recountForeign()
      }),
      map(jobs => ({ jobs })),
    )
  })

  const intervalMs = (): number => {
    const oldest = Math.min(...[...tracked.values()].map(job => job.since))
    const oldestOpenAgeMs = Number.isFinite(oldest) ? asyncScheduler.now() - oldest : 0
    return pollIntervalMs({ meanJobMs: length.meanMs(), oldestOpenAgeMs, slots: capacity })
  }
  const looks$ = createSharedPoll({ look, intervalMs, again: again(), onError })

  // A look under way when a create was refused may have seen the slot that somebody took since.
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
      // It ended some time between the last two looks.
      if (job?.as === 'new') length.learn((lookedAt + Math.max(lookedBefore, job.since)) / 2 - job.since)
      tracked.delete(providerJobId)
      open.delete(providerJobId)
      recountForeign()
    },
    untrack: providerJobId => {
      tracked.delete(providerJobId)
      recountForeign()
    },
  }
}
