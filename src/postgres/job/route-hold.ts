/** How an operator holds and releases one route. */
import type { Pool, PoolClient } from 'pg'
import { defaultHoldReason, type HoldChange, type RouteHold } from '../../domain/route'
import type { RouteControl } from '../../ports/journal'
import { inTransaction, lockClaims } from '../session/transaction'
import { notifyChange } from '../shared-sql'

// `for update` would make intake wait, because its rows refer to this one.
const before = 'select held_at is not null as "wasHeld" from route where route_id = $1 for no key update'

const returning = `returning route_id as "routeId", held_at as "heldAt", held_reason as "heldReason"`

const hold = `
  update route set held_at = coalesce(held_at, now()), held_reason = coalesce($2, held_reason, $3)
  where route_id = $1 ${returning}`

const release = `update route set held_at = null, held_reason = null where route_id = $1 ${returning}`

const notify = `select ${notifyChange}`

/** Gives the route as it is now; null when there is none. Every driver is told, so that it looks for work at once. */
const change = async (
  client: PoolClient,
  statement: string,
  routeId: number,
  more: readonly unknown[] = [],
): Promise<HoldChange | null> => {
  const [was] = (await client.query<Pick<HoldChange, 'wasHeld'>>(before, [routeId])).rows
  const [hold] = (await client.query<RouteHold>(statement, [routeId, ...more])).rows
  await client.query(notify)
  return was === undefined || hold === undefined ? null : { ...hold, ...was }
}

/** Any process may do it: it needs no lease, and the hold lasts across take-overs. */
export const createRouteControl = (pool: Pool): RouteControl => ({
  hold: (routeId, reason) =>
    inTransaction(pool, async client => {
      // A claim under way may have looked at the route before. Behind it, no later claim takes anything of the route.
      await lockClaims(client)
      return change(client, hold, routeId, [reason, defaultHoldReason])
    }),
  release: routeId => inTransaction(pool, client => change(client, release, routeId)),
})
