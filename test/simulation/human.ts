/**
/**
 * The human that held and overdue jobs wait for. Once nothing goes wrong any more, he releases the held jobs that can be tried
 * again, and in half of the seeds the refused routes, which otherwise are tried by themselves. A job that is overdue he gives
 * up as soon as it is, or has its devices sent again.
 */
import { overdueAfterMs } from '../../src/domain/job-length'
import { isStopped } from '../support/fake-journal/accept-restore'
import type { StoredJob } from '../support/fake-journal/store'
import { acceptLosses } from './losses'
import type { World } from './world'

export interface Human {
  /** Every job that is still held was released as often as makes sense. */
  isThrough(): boolean
}

const lookEveryMs = 30_000
const maxReleases = 2

/** A job that is held because several jobs could be ours stays held: only the provider's console could decide it. */
const canBeTriedAgain = (why: string): boolean =>
  /no results could be read|refused again and again|drawn at random/.test(why)

export const startHuman = (world: World): Human => {
  const { clock, faults, journal, ledger, draw, trace, plan, refusedRoutes } = world
  const releases = new Map<number, number>()
  const waiting = () =>
    [...journal.store.unfinished].filter(
      ({ batchId, heldBecause, heldWithRoute }) =>
        heldBecause !== null &&
        !heldWithRoute &&
        canBeTriedAgain(heldBecause) &&
        (releases.get(batchId) ?? 0) < maxReleases,
    )

  /** Whether `status` calls it overdue. With the mean of all jobs instead of the newest ones it is the same here. */
  const isOverdue = ({ status, heldBecause, createStartedAt }: StoredJob): boolean =>
    status === 'running' &&
    heldBecause === null &&
    clock.now() - (createStartedAt ?? clock.now()) >= overdueAfterMs(null, 10)

  const resolveOverdue = (job: StoredJob): void => {
    const as = draw.oneOf(['absent', 'fail'] as const)
    const { batchId, providerJobId } = job
    trace.note('human', () => `resolves job ${batchId}, overdue as ${providerJobId}: ${as}`)
    if (providerJobId !== null) ledger.giveUp(providerJobId)
    refusedRoutes.letGo(job.route.fields)
    journal.resolveRunning(batchId, as)
  }

  const look = (): void => {
    acceptLosses(world)
    for (const job of [...journal.store.unfinished].filter(isOverdue)) resolveOverdue(job)
    for (const { batchId, heldBecause } of faults.isCalm() ? waiting() : []) {
      trace.note('human', () => `releases job ${batchId}, held: ${heldBecause}`)
      releases.set(batchId, (releases.get(batchId) ?? 0) + 1)
      journal.resolveJob(batchId, { kind: 'again' })
    }
    if (faults.isCalm() && plan.seed % 2 === 0)
      for (const { routeId, fields, heldKind } of journal.store.routes.values()) {
        if (heldKind !== 'refused') continue
        trace.note('human', () => `releases route ${routeId}`)
        refusedRoutes.letGo(fields)
        journal.releaseRoute(routeId)
      }
    clock.after(clock.world, lookEveryMs, look)
  }
  clock.after(clock.world, lookEveryMs, look)
  return { isThrough: () => waiting().length === 0 && !isStopped(journal.store) }
}
