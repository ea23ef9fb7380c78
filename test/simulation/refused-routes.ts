/** Routes that the provider refuses for a while, as if their target were gone, and whether ours leave them alone meanwhile. */
import { type RouteFields, routeKey } from '../../src/domain/route'
import type { FakeJournal } from '../support/fake-journal'
import type { Clock } from './clock'
import type { Draw } from './draw'
import type { Faults } from './faults'
import type { Violations } from './violations'

export interface RefusedRoutes {
  /** Decides about a create as it arrives. */
  isRefused(route: RouteFields): boolean
  /** A process has reported that it holds the route. */
  held(routeId: number): void
  /** A create of the route was not refused for the route, or a human has released it. */
  letGo(route: RouteFields): void
  /** The database has gone back in time, and may have forgotten that routes are held. */
  forgotten(): void
}

/** An hour, less what storing a hold and reporting it may take. */
const leftAloneMs = 3_600_000 - 60_000

export const createRefusedRoutes = (deps: {
  readonly clock: Clock
  readonly draw: Draw
  readonly faults: Faults
  readonly journal: FakeJournal
  readonly violations: Violations
}): RefusedRoutes => {
  const { clock, draw, faults, journal, violations } = deps
  const refusedUntil = new Map<string, number>()
  const heldAt = new Map<string, number>()

  return {
    isRefused: route => {
      const key = routeKey(route)
      const since = heldAt.get(key)
      if (since !== undefined && clock.now() < since + leftAloneMs)
        violations.broken(
          'a refused route is tried once an hour',
          `a create came ${clock.now() - since} ms after it was held`,
        )
      if (faults.hit('route refused')) refusedUntil.set(key, clock.now() + draw.between(1_000, 200_000))
      return !faults.isCalm() && clock.now() < (refusedUntil.get(key) ?? 0)
    },
    held: routeId => {
      for (const [key, route] of journal.store.routes)
        if (route.routeId === routeId && route.heldKind !== 'operator') heldAt.set(key, clock.now())
    },
    forgotten: () => heldAt.clear(),
    letGo: route => {
      heldAt.delete(routeKey(route))
    },
  }
}
