import type { World } from '../world'

/** A ready route is claimed within this time when a slot is free, ms. */
const claimedWithinMs = 60_000

/** Numbers of the routes that a batch could be claimed of at once. */
const readyRoutes = ({ plan, journal, ledger }: World): readonly number[] => {
  if (ledger.open() >= plan.quotaJobs) return []
  const unanswered = new Set<string>()
  for (const { status, route } of journal.store.unfinished)
    if (status === 'claimed' || status === 'creating' || status === 'unknown') unanswered.add(route.lookAlike)
  return [...journal.store.routes.values()]
    .filter(({ moves, claimed, lookAlike }) => moves.length > claimed && !unanswered.has(lookAlike))
    .map(({ routeId }) => routeId)
}

/**
 * Returns a check that is called now and then. In a storm of interruptions, where nothing else goes wrong, no ready route
 * waits long for a claim while a slot is free, however many devices are to be looked up.
 */
export const createCheckWaiting = (world: World): (() => void) => {
  const { plan, clock, violations } = world
  let readySince = new Map<number, number>()

  return () => {
    if (!plan.isStorm) return
    const now = clock.now()
    readySince = new Map(readyRoutes(world).map(routeId => [routeId, readySince.get(routeId) ?? now]))
    for (const [routeId, since] of readySince)
      if (now - since > claimedWithinMs)
        violations.broken('no ready route waits for look-ups', `route ${routeId} for ${now - since} ms`)
  }
}
