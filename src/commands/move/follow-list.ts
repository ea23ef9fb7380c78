import { firstValueFrom, timer } from 'rxjs'
import { filter } from 'rxjs/operators'
import type { Service } from '../../app/service'
import type { FleetFile } from '../../files/fleet-file'
import { plural } from '../../health/job-troubles'
import type { ServiceStatus } from '../../health/readiness'
import type { Pool } from '../../postgres/session/session'
import { ifReachable, inSnapshot, type Queries } from '../../postgres/session/transaction'
import { type Conservation, readConservation } from '../../postgres/status/conservation'
import { countStuck, countUnfinished, type OtherLists } from '../../postgres/status/run-summary'
import { backlogOf, type Progress } from './progress'

// Lists that a database has worked on besides the one that is moved: what has ended of them is not shown with it.

/** The counts less what had ended of others: they still add up. */
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

/** How the work stands, all of it at one moment. */
export interface Look {
  readonly counts: Conservation
  /** Nothing more will happen by itself; never, as long as not all is read. */
  readonly isDone: boolean
}

export interface UntilSettledDeps {
  /** Whether all that is to be counted is in the journal: nothing is done before. */
  readonly isAllRead: () => boolean
  /** `isAllRead`: it was so before. null while the database cannot be reached. */
  readonly look: (isAllRead: boolean) => Promise<Look | null>
  readonly openJobs: () => number
  readonly progress: Progress
  readonly aborted: () => boolean
}

const lookEveryMs = 400

/** Shows the progress until it is done (true) or aborted (false). */
export const untilSettled = async (deps: UntilSettledDeps): Promise<boolean> => {
  for (;;) {
    if (deps.aborted()) return false
    // Asked first: a look may be older than the last of what is read while it is on its way.
    const look = await deps.look(deps.isAllRead())
    if (look !== null) {
      deps.progress.show(look.counts, deps.openJobs())
      if (look.isDone) return true
    }
    await firstValueFrom(timer(lookEveryMs))
  }
}

export interface FollowDeps {
  readonly fleet: Pick<FleetFile, 'topic'> & { readonly source: Pick<FleetFile['source'], 'health$'> }
  readonly service: Pick<Service, 'intakeDone'> & {
    readonly status: () => Pick<ServiceStatus, 'openJobs'>
  }
  readonly pool: Pool
  readonly progress: Progress
  /** In the same database; what had ended of them is not shown. */
  readonly others: OtherLists
  readonly aborted: () => boolean
}

/** How it ended: nothing more will happen to the list by itself, or it was aborted, or the file cannot be read on. */
export type Followed =
  | { readonly kind: 'done' | 'aborted' }
  | { readonly kind: 'unreadable'; readonly why: string }

/** Shows how the list is moved, until nothing more will happen to it by itself. */
export const followList = async (deps: FollowDeps): Promise<Followed> => {
  const { fleet, service, pool, progress, others } = deps
  let readAll = false
  service.intakeDone.then(() => {
    readAll = true
  })
  let unreadable: string | null = null
  const failed$ = fleet.source.health$.pipe(filter(({ state }) => state === 'failed'))
  firstValueFrom(failed$, { defaultValue: null }).then(health => {
    unreadable = health?.reason ?? null
  })
  // What is left then is held, or waits for what is; another list's in the same database is not its concern.
  const isDone = async (from: Queries, counts: Conservation): Promise<boolean> => {
    const backlog = backlogOf(counts)
    if (backlog === 0) return true
    const isStuck = counts.held > 0 && counts.in_flight === 0 && backlog === (await countStuck(from))
    // Counting a list's own moves reads all of them: only where the backlog may be another's.
    return isStuck || (others.lists > 0 && (await countUnfinished(from, fleet.topic)) === 0)
  }
  const look = (isAllRead: boolean): Promise<Look> =>
    inSnapshot(pool, async from => {
      const counts = without(await readConservation(from), others)
      return { counts, isDone: isAllRead && (await isDone(from, counts)) }
    })
  const done = await untilSettled({
    isAllRead: () => readAll,
    look: isAllRead => ifReachable(look(isAllRead)),
    openJobs: () => service.status().openJobs?.own ?? 0,
    progress,
    aborted: () => deps.aborted() || unreadable !== null,
  })
  if (unreadable !== null) return { kind: 'unreadable', why: unreadable }
  return { kind: done ? 'done' : 'aborted' }
}
