/** How one route is held and released: by an operator, or because the provider refused what it names. */
import type { Pool, PoolClient } from 'pg'
import { defaultHoldReason, type HoldChange, type RouteHold } from '../../domain/route'
import type { RouteControl } from '../../ports/journal'
import { inTransaction, lockClaims } from '../session/transaction'
import { notifyChange, unfinished } from '../shared-sql'
import type { JobRow } from './job-row'

// `for update` would make intake wait, because its rows refer to this one.
const before = 'select held_at is not null as "wasHeld" from route where route_id = $1 for no key update'

const returning = `returning route_id as "routeId", held_at as "heldAt",
  case when held_at is not null then coalesce(held_kind, 'operator') end as "heldKind", held_reason as "heldReason"`

// The reason of another kind of hold is no operator's reason.
const hold = `
  update route set held_at = coalesce(held_at, now()), held_kind = 'operator', retry_at = null,
    held_reason = coalesce($2, case when coalesce(held_kind, 'operator') = 'operator' then held_reason end, $3)
  where route_id = $1 ${returning}`

const release = `
  update route set held_at = null, held_reason = null, held_kind = null, retry_at = null
  where route_id = $1 ${returning}`

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

const releaseBatches = `
  update job j set held_at = null, held_reason = null, held_with_route = false, releases = releases + 1
  where j.route_id = $1 and j.held_with_route and ${unfinished('j')}`

/** Any process may do it: it needs no lease, and the hold lasts across take-overs. */
export const createRouteControl = (pool: Pool): RouteControl => ({
  hold: (routeId, reason) =>
    inTransaction(pool, async client => {
      // A claim under way may have looked at the route before. Behind it, no later claim takes anything of the route.
      await lockClaims(client)
      return change(client, hold, routeId, [reason, defaultHoldReason])
    }),
  release: routeId =>
    inTransaction(pool, async client => {
      await client.query(releaseBatches, [routeId])
      return change(client, release, routeId)
    }),
})

/** Pause before one batch of a refused route is tried again. */
const nextTry = `now() + interval '1 hour'`

const holdAsRefused = `
  update route set held_at = coalesce(held_at, now()), held_kind = 'refused', held_reason = $2, retry_at = ${nextTry}
  where route_id = $1 and (held_at is null or held_kind = 'refused')`

const batchWaits = `
  update job set status = 'claimed', create_started_at = null, last_error = $2, held_at = now(), held_reason = $2,
                 held_with_route = true
  where job_id = $1`

const othersWait = `
  update job j set held_at = now(), held_reason = $2, held_with_route = true
  where j.route_id = $1 and j.status = 'claimed' and j.held_at is null and ${unfinished('j')}`

/** Holds the route of a batch that was refused for what the route names. Its unsent batches wait with it. */
export const holdRefusedRoute = async (
  client: PoolClient,
  { batchId, routeId }: JobRow,
  why: string,
): Promise<void> => {
  await client.query(batchWaits, [batchId, why])
  await client.query(othersWait, [routeId, why])
  await client.query(holdAsRefused, [routeId, why])
}

/** Lets a route go that was held as refused: a batch of it was created, or refused for its devices. */
export const releaseRefusedRoute = async (client: PoolClient, routeId: number): Promise<void> => {
  const { rowCount } = await client.query(
    `update route set held_at = null, held_reason = null, held_kind = null, retry_at = null
     where route_id = $1 and held_at is not null and held_kind = 'refused'`,
    [routeId],
  )
  if (rowCount === 0) return
  await client.query(releaseBatches, [routeId])
  await client.query(notify)
}

/** Notes that a batch of a refused route is tried now. */
export const noteTry = async (client: PoolClient, routeId: number, batchId: number | null): Promise<void> => {
  await client.query(`update route set retry_at = ${nextTry} where route_id = $1 and retry_at is not null`, [
    routeId,
  ])
  await client.query(
    'update job set held_at = null, held_reason = null, held_with_route = false where job_id = $1',
    [batchId],
  )
}
