import type { Pool, PoolClient } from 'pg'
import type { RouteHold } from '../domain/route-hold'
import type { RouteControl } from '../ports'
import { lockClaims } from './epoch-guard'
import { inTransaction } from './in-transaction'

const returning = `returning route_id as "routeId", held_at as "heldAt", held_reason as "heldReason"`

const hold = `
  update route set held_at = coalesce(held_at, now()), held_reason = $2 where route_id = $1 ${returning}`

const release = `update route set held_at = null, held_reason = null where route_id = $1 ${returning}`

/** The route as it is now; null: there is none. Every driver is told, so that it looks for work at once. */
const change = async (
  client: PoolClient,
  statement: string,
  values: readonly unknown[],
): Promise<RouteHold | null> => {
  const { rows } = await client.query<RouteHold>(statement, [...values])
  await client.query(`select pg_notify('device_move', '')`)
  return rows[0] ?? null
}

/** Any process may do it: it needs no lease, and holds across take-overs. */
export const createRouteControl = (pool: Pool): RouteControl => ({
  hold: (routeId, reason) =>
    inTransaction(pool, async client => {
      // A claim under way may have looked before this: behind it, no later one takes anything of the route.
      await lockClaims(client)
      return change(client, hold, [routeId, reason])
    }),
  release: routeId => inTransaction(pool, client => change(client, release, [routeId])),
})
