import type { World } from '../world'

/** A ready route is claimed within this time when a slot is free, ms. */
const claimedWithinMs = 60_000

/**
 * Returns a check that is called now and then. In a storm of interruptions, where nothing else goes wrong, no ready route
 * waits long for a claim while a slot is free, however many devices are to be looked up.
 */
export const createCheckWaiting = ({ plan, clock, journal, ledger, violations }: World) => {
  const readySince = new Map<number, number>()

  return (): void => {
    if (!plan.isStorm) return
    const unanswered = new Set<string>()
    for (const { status, route } of journal.store.unfinished)
      if (status === 'claimed' || status === 'creating' || status === 'unknown')
        unanswered.add(route.lookAlike)
    for (const { routeId, moves, claimed, lookAlike } of journal.store.routes.values()) {
      const isReady = moves.length > claimed && !unanswered.has(lookAlike) && ledger.open() < plan.quotaJobs
      if (!isReady) readySince.delete(routeId)
      else if (!readySince.has(routeId)) readySince.set(routeId, clock.now())
      const waitedMs = clock.now() - (readySince.get(routeId) ?? clock.now())
      if (waitedMs > claimedWithinMs)
        violations.broken('no ready route waits for look-ups', `route ${routeId} for ${waitedMs} ms`)
    }
  }
}
