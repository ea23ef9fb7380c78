/** Shows how a list is moved, until nothing more will happen to it by itself. */
import { defer, filter, firstValueFrom, from, map, merge, of, repeat, tap } from 'rxjs'
import type { Service } from '../../app/service'
import type { FleetFile } from '../../files/fleet-file'
import { plural } from '../../health/job-troubles'
import type { ServiceStatus } from '../../health/readiness'
import type { Pool } from '../../postgres/session/session'
import { ifReachable, inSnapshot, type Queries } from '../../postgres/session/transaction'
import { type Conservation, readConservation } from '../../postgres/status/conservation'
import { countStuck, countUnfinished, type OtherLists } from '../../postgres/status/run-summary'
import { backlogOf, type Progress } from './progress'

/** The database is looked at this often, ms. */
const lookEveryMs = 400

/** How the work stands at one moment. */
export interface Look {
  readonly counts: Conservation
  /** True when nothing more will happen by itself. Always false until the whole list is read. */
  readonly isDone: boolean
}

export interface UntilSettledDeps {
  /** Whether all that is to be counted is in the journal. The work is not done before. */
  readonly isAllRead: () => boolean
  /** Gives null while the database cannot be reached. `isAllRead` says how it was when the look began. */
  readonly look: (isAllRead: boolean) => Promise<Look | null>
  readonly openJobs: () => number
  /** The progress is ended here, however the wait ends. */
  readonly progress: Progress
  readonly aborted: () => boolean
  /** Resolves with the error that ends the service. */
  readonly failed: Promise<unknown>
}

/**
 * Shows the progress until the work is done (true) or aborted (false).
 * @throws the error that ends the service, since waiting would never end then
 */
export const untilSettled = async (deps: UntilSettledDeps): Promise<boolean> => {
  const { progress } = deps
  const look$ = defer(() => {
    if (deps.aborted()) return of(false)
    // `isAllRead` is asked before the look: the last of the list may be read while the look is on its way.
    return from(deps.look(deps.isAllRead())).pipe(
      filter(look => look !== null),
      tap(({ counts }) => progress.show(counts, deps.openJobs())),
      filter(({ isDone }) => isDone),
      map(() => true),
    )
  })
  const failure$ = from(deps.failed).pipe(
    map((error): never => {
      throw error
    }),
  )
  try {
    // An error unsubscribes from the look that is on its way, so that it draws no bar any more.
    return await firstValueFrom(merge(failure$, look$.pipe(repeat({ delay: lookEveryMs }))))
  } finally {
    progress.end()
  }
}

/** The counts less what had ended of other lists in the database. They still add up. */
export const without = (counts: Conservation, { ended }: OtherLists): Conservation => ({
  ...counts,
  accepted: counts.accepted - Object.values(ended).reduce((sum, count) => sum + count, 0),
  moved: counts.moved - ended.moved,
  failed: counts.failed - ended.failed,
  rejected: counts.rejected - ended.rejected,
  superseded: counts.superseded - ended.superseded,
  duplicate: counts.duplicate - ended.duplicate,
})

export const otherListsText = ({ lists }: OtherLists): string =>
  `this database has worked on ${plural(lists, 'other list')} (a file whose content has changed is another one): ` +
  'only lines with the same requestId and device are duplicates, all others are sent, moved before or not'

export interface FollowDeps extends Pick<UntilSettledDeps, 'progress' | 'aborted' | 'failed'> {
  readonly fleet: Pick<FleetFile, 'topic'> & { readonly source: Pick<FleetFile['source'], 'health$'> }
  readonly service: Pick<Service, 'intakeDone'> & {
    readonly status: () => Pick<ServiceStatus, 'openJobs'>
  }
  readonly pool: Pool
  /** Lists that the same database has worked on before. What had ended of them is not shown. */
  readonly others: OtherLists
}

/** `done`: nothing more will happen to the list by itself. `unreadable`: the file cannot be read to its end. */
export type Followed =
  | { readonly kind: 'done' | 'aborted' }
  | { readonly kind: 'unreadable'; readonly why: string }

/**
 * Shows the progress of the list until it ends.
 * @throws the error that ends the service
 */
export const followList = async (deps: FollowDeps): Promise<Followed> => {
  const { fleet, service, pool, progress, others, failed } = deps
  let readAll = false
  service.intakeDone.then(() => {
    readAll = true
  })
  let unreadable: string | null = null
  const failed$ = fleet.source.health$.pipe(filter(({ state }) => state === 'failed'))
  firstValueFrom(failed$, { defaultValue: null }).then(health => {
    unreadable = health?.reason ?? null
  })
  // A list is also done when the rest of it is held, or waits for something that is. What is left of other lists in the
  // database does not count.
  const isDone = async (queries: Queries, counts: Conservation): Promise<boolean> => {
    const backlog = backlogOf(counts)
    if (backlog === 0) return true
    const isStuck = counts.held > 0 && counts.in_flight === 0 && backlog === (await countStuck(queries))
    // Counting the list's own moves reads all of them, so it is done only where the backlog may be another list's.
    return isStuck || (others.lists > 0 && (await countUnfinished(queries, fleet.topic)) === 0)
  }
  const look = (isAllRead: boolean): Promise<Look> =>
    inSnapshot(pool, async queries => {
      const counts = without(await readConservation(queries), others)
      return { counts, isDone: isAllRead && (await isDone(queries, counts)) }
    })
  const done = await untilSettled({
    isAllRead: () => readAll,
    look: isAllRead => ifReachable(look(isAllRead)),
    openJobs: () => service.status().openJobs?.own ?? 0,
    progress,
    aborted: () => deps.aborted() || unreadable !== null,
    failed,
  })
  if (unreadable !== null) return { kind: 'unreadable', why: unreadable }
  return { kind: done ? 'done' : 'aborted' }
}
