import { firstValueFrom } from 'rxjs'
import { filter } from 'rxjs/operators'
import type { FleetFile } from '../files/open-fleet-file'
import { type Conservation, readConservation } from '../postgres/conservation'
import { ifReachable } from '../postgres/if-reachable'
import { inSnapshot, type Queries } from '../postgres/in-snapshot'
import type { OtherLists } from '../postgres/other-lists'
import type { Pool } from '../postgres/pool'
import { countUnfinished } from '../postgres/run-summary'
import { countStuck } from '../postgres/stuck-moves'
import type { Service, ServiceStatus } from '../service'
import { without } from './other-lists'
import { backlogOf, type Progress } from './progress'
import { type Look, untilSettled } from './until-settled'

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
