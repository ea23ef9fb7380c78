/**
 * The human that held jobs wait for. Once nothing goes wrong any more, he releases the jobs that can be tried again, and in
 * half of the seeds the refused routes, which otherwise are tried by themselves.
 */
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
  const { clock, faults, journal, trace, plan, refusedRoutes } = world
  const releases = new Map<number, number>()
  const waiting = () =>
    [...journal.store.unfinished].filter(
      ({ batchId, heldBecause, heldWithRoute }) =>
        heldBecause !== null &&
        !heldWithRoute &&
        canBeTriedAgain(heldBecause) &&
        (releases.get(batchId) ?? 0) < maxReleases,
    )

  const look = (): void => {
    for (const { batchId, heldBecause } of faults.isCalm() ? waiting() : []) {
      trace.note('human', () => `releases job ${batchId}, held: ${heldBecause}`)
      releases.set(batchId, (releases.get(batchId) ?? 0) + 1)
      journal.releaseJob(batchId)
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
  return { isThrough: () => waiting().length === 0 }
}
