import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import { type Priority, type RouteFields, routeKey, type Strategy } from '../domain/route'

/** The columns of `route` that make a `RouteFields`, for a select over `route r`. */
export const routeColumns = `r.product_key, r.source_instance_id, r.strategy, r.target_instance_ids, r.target_uid,
  r.target_aliyun_id, r.priority`

export interface RouteRow {
  readonly product_key: string
  readonly source_instance_id: string
  readonly strategy: Strategy
  readonly target_instance_ids: string[]
  readonly target_uid: string | null
  readonly target_aliyun_id: string | null
  readonly priority: Priority
}

export const routeOfRow = (row: RouteRow): RouteFields => ({
  productKey: row.product_key,
  sourceInstanceId: row.source_instance_id,
  strategy: row.strategy,
  targetInstanceIds: row.target_instance_ids,
  targetUid: row.target_uid,
  targetAliyunId: row.target_aliyun_id,
  priority: row.priority,
})

const identityOf = (key: string): string => createHash('sha256').update(key).digest('hex')

// One at a time and in the order of their identities, so that two replicas inserting the same routes cannot wait
// for each other.
const insertRoute = `
  with added as (
    insert into route (identity, product_key, source_instance_id, strategy, target_instance_ids, target_uid,
                       target_aliyun_id, priority)
    values (decode($1, 'hex'), $2, $3, $4, $5, $6, $7, $8)
    on conflict (identity) do nothing
    returning route_id
  ), intake as (
    insert into route_intake (route_id) select route_id from added
  )
  insert into route_claims (route_id) select route_id from added`

/** Ids of routes by their key; inserts those that are new, with their rows of positions. */
export const routeIds = async (
  client: PoolClient,
  routes: ReadonlyMap<string, RouteFields>,
): Promise<Map<string, number>> => {
  const wanted = [...routes].map(([key, route]) => ({ key, route, identity: identityOf(key) }))
  wanted.sort((a, b) => (a.identity < b.identity ? -1 : 1))
  const ids = new Map<string, number>()
  const look = async (identities: readonly string[]): Promise<void> => {
    const { rows } = await client.query<RouteRow & { route_id: number }>(
      `select r.route_id, ${routeColumns} from unnest($1::text[]) i join route r on r.identity = decode(i, 'hex')`,
      [identities],
    )
    for (const row of rows) ids.set(routeKey(routeOfRow(row)), row.route_id)
  }
  await look(wanted.map(({ identity }) => identity))
  const missing = wanted.filter(({ key }) => !ids.has(key))
  if (missing.length === 0) return ids
  for (const { identity, route } of missing)
    await client.query(insertRoute, [
      identity,
      route.productKey,
      route.sourceInstanceId,
      route.strategy,
      route.targetInstanceIds,
      route.targetUid,
      route.targetAliyunId,
      route.priority,
    ])
  await look(missing.map(({ identity }) => identity))
  return ids
}
