/** Appends requests to the logs of their routes: one move for each device name that was not rejected before. */
import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import type { MoveRequest } from '../../domain/request'
import { type RouteFields, routeKey } from '../../domain/route'
import { moveColumns, routeColumns } from '../shared-sql'

// Parameters of tens of thousands of elements are written as PostgreSQL array literals. That is several times cheaper than
// the driver's own way, which looks at the type of every element.

const numberArray = (values: readonly (number | bigint | null)[]): string =>
  `{${values.map(value => value ?? 'NULL').join(',')}}`

const special = /["\\]/
const escaped = (text: string): string => (special.test(text) ? text.replace(/["\\]/g, '\\$&') : text)

/** Every text is quoted, so that commas, braces, spaces and the word NULL are only text. */
const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map(value => (value === null ? 'NULL' : `"${escaped(value)}"`)).join(',')}}`

/** Ids of the routes met before, by key. Routes are never deleted. */
export type KnownRoutes = Map<string, number>

const identityOf = (key: string): string => createHash('sha256').update(key).digest('hex')

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

/** Ids of routes by their key. Inserts the routes that are new, with their rows of positions. */
const routeIds = async (
  client: PoolClient,
  routes: ReadonlyMap<string, RouteFields>,
): Promise<Map<string, number>> => {
  const wanted = [...routes].map(([key, route]) => ({ key, route, identity: identityOf(key) }))
  // Inserted one at a time in this order, so that two replicas inserting the same routes cannot wait for each other.
  wanted.sort((a, b) => (a.identity < b.identity ? -1 : 1))
  const ids = new Map<string, number>()
  const look = async (identities: readonly string[]): Promise<void> => {
    const { rows } = await client.query<RouteFields & { readonly routeId: number }>(
      `select r.route_id as "routeId", ${routeColumns}
       from unnest($1::text[]) i join route r on r.identity = decode(i, 'hex')`,
      [identities],
    )
    for (const row of rows) ids.set(routeKey(row), row.routeId)
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

/** A move that is about to be appended. */
interface NewMove {
  readonly requestId: string
  readonly productKey: string
  readonly deviceName: string
}

/** The key that the index `rejection_repeat` holds of a rejection with a device. */
const repeatKey = ({ requestId, productKey, deviceName }: NewMove): string =>
  createHash('md5').update(`${requestId}\u001f${productKey}\u001f${deviceName}`).digest('hex')

const indexed = `md5(request_id || chr(31) || coalesce(product_key, '') || chr(31) ||
  coalesce(device_name, chr(30) || content, chr(30) || source_id || '/' || source_offset || '/' || ordinal))`

const selectRejected = `select ${indexed} as key from rejection where ${indexed} = any($1::text[])`

/** The places in the list of moves whose request and device were rejected before: each repeats its rejection. */
const rejectedBefore = async (
  client: PoolClient,
  moves: readonly NewMove[],
): Promise<ReadonlySet<number>> => {
  const { rowCount } = await client.query('select from rejection limit 1')
  if (rowCount === 0) return new Set()
  const keys = moves.map(repeatKey)
  // Without statistics the planner would go through the whole table, which takes several times as long.
  await client.query('set local enable_seqscan = off')
  const { rows } = await client.query<{ key: string }>(selectRejected, [`{${keys.join(',')}}`])
  await client.query('set local enable_seqscan = on')
  const rejected = new Set(rows.map(({ key }) => key))
  return new Set(keys.flatMap((key, index) => (rejected.has(key) ? [index] : [])))
}

/** How many moves one acceptance number covers, which is also the most moves of one statement. */
const movesPerAcceptance = 32_768

const insertMoves = `
  insert into move (route_id, seq, attempt, appended_at, ${moveColumns})
  select route_id, seq, 1, now(), $1, source_offset, $2::bigint * ${movesPerAcceptance} + n - 1,
         to_timestamp(requested_at / 1000.0), device_name, request_id, traceparent, to_timestamp(recorded_at / 1000.0)
  from unnest($3::integer[], $4::bigint[], $5::bigint[], $6::float8[], $7::text[], $8::text[], $9::text[],
              $10::float8[])
    with ordinality as t (route_id, seq, source_offset, requested_at, device_name, request_id, traceparent, recorded_at, n)`

/** Null where it is the same as `requestedAt`, as for most requests. */
const recordedAtMs = ({ recordedAt, requestedAt }: MoveRequest): number | null =>
  recordedAt.getTime() === requestedAt.getTime() ? null : recordedAt.getTime()

const resolveRoutes = async (
  client: PoolClient,
  requests: readonly MoveRequest[],
  known: KnownRoutes,
): Promise<{ readonly ids: ReadonlyMap<MoveRequest, number>; readonly added: KnownRoutes }> => {
  const keys = new Map(requests.map(request => [request, routeKey(request.route)]))
  const unknown = new Map<string, RouteFields>()
  for (const [request, key] of keys) if (!known.has(key)) unknown.set(key, request.route)
  const added = unknown.size > 0 ? await routeIds(client, unknown) : new Map<string, number>()
  const ids = new Map<MoveRequest, number>()
  for (const [request, key] of keys) {
    const id = known.get(key) ?? added.get(key)
    if (id === undefined) throw new Error(`route ${key} was not stored`)
    ids.set(request, id)
  }
  return { ids, added }
}

/** Locks the routes' intake rows in id order and gives how far each is written. */
const lockAppended = async (client: PoolClient, ids: readonly number[]): Promise<Map<number, bigint>> => {
  const { rows } = await client.query<{ route_id: number; appended: bigint }>(
    'select route_id, appended from route_intake where route_id = any($1) order by route_id for update',
    [ids],
  )
  return new Map(rows.map(row => [row.route_id, row.appended]))
}

export interface Appended {
  readonly moves: number
  /** Moves left out because their request and device were rejected before. */
  readonly repeats: number
  /** Routes met for the first time, to be remembered once the transaction is committed. */
  readonly added: KnownRoutes
}

export const appendMoves = async (
  client: PoolClient,
  sourceId: number,
  requests: readonly MoveRequest[],
  known: KnownRoutes,
): Promise<Appended> => {
  const { ids, added } = await resolveRoutes(client, requests, known)
  const all = requests.flatMap(request =>
    request.deviceNames.map(deviceName => ({ request, deviceName, routeId: ids.get(request) ?? 0 })),
  )
  const repeats = await rejectedBefore(
    client,
    all.map(({ request, deviceName }) => ({
      requestId: request.requestId,
      productKey: request.route.productKey,
      deviceName,
    })),
  )
  const places = repeats.size === 0 ? all : all.filter((_, index) => !repeats.has(index))
  const appended = await lockAppended(client, [...new Set(ids.values())])
  const counts = new Map<number, number>()
  const nextSeq = (routeId: number): bigint => {
    const count = (counts.get(routeId) ?? 0) + 1
    counts.set(routeId, count)
    return (appended.get(routeId) ?? 0n) + BigInt(count)
  }
  for (let at = 0; at < places.length; at += movesPerAcceptance) {
    const part = places.slice(at, at + movesPerAcceptance)
    const { rows } = await client.query<{ acceptance: bigint }>(`select nextval('acceptance') as acceptance`)
    await client.query(insertMoves, [
      sourceId,
      rows[0]?.acceptance,
      numberArray(part.map(place => place.routeId)),
      numberArray(part.map(place => nextSeq(place.routeId))),
      numberArray(part.map(place => place.request.position.offset)),
      numberArray(part.map(place => place.request.requestedAt.getTime())),
      textArray(part.map(place => place.deviceName)),
      textArray(part.map(place => place.request.requestId)),
      textArray(part.map(place => place.request.traceparent)),
      numberArray(part.map(place => recordedAtMs(place.request))),
    ])
  }
  await client.query(
    `update route_intake i set appended = i.appended + t.moves, accepted = i.accepted + t.moves
     from unnest($1::integer[], $2::bigint[]) as t (route_id, moves) where i.route_id = t.route_id`,
    [[...counts.keys()], [...counts.values()]],
  )
  return { moves: places.length, repeats: repeats.size, added }
}
