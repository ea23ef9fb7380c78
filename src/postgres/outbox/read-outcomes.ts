/** Reads outcomes out of the rows of the journal: for the outbox, and all final ones of a topic. */
import type { Pool } from 'pg'
import { type Outcome, outcomeOfMove, outcomeOfRejection, type SettledMove } from '../../domain/outcome'
import type { Rejection, SourcePosition } from '../../domain/request'
import type { RouteFields } from '../../domain/route'
import { asPortError } from '../session/transaction'
import { readRoute } from '../shared-sql'

/** Columns that both kinds of rows have. */
interface EndedRow extends SourcePosition {
  readonly settledAt: Date
}

export interface MoveOutcomeRow extends EndedRow, Omit<SettledMove, 'source'> {
  readonly routeId: number
  readonly seq: bigint
  /** The provider's JobId. */
  readonly jobId: string | null
}

export interface RejectionRow extends EndedRow, Omit<Rejection, 'position'> {
  readonly sourceId: number
}

/** For a select over `move m`, `outcome o`, `job j`, `consumed c`. */
export const moveOutcomeColumns = `m.route_id as "routeId", m.seq, c.topic, c.partition, m.source_offset as "offset",
  m.request_id as "requestId", m.device_name as "deviceName", m.attempt, m.requested_at as "requestedAt",
  coalesce(m.recorded_at, m.requested_at) as "recordedAt", m.traceparent, o.outcome, o.final, o.code, o.message,
  j.provider_job_id as "jobId", j.settled_at as "settledAt"`

/** For a select over `rejection x`, `consumed c`. Only this journal writes `code`, from a `RejectionCode`. */
export const rejectionColumns = `
  coalesce(x.outcome_id, c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal) as id,
  x.source_id as "sourceId", c.topic, c.partition, x.source_offset as "offset", x.ordinal, x.request_id as "requestId",
  x.product_key as "productKey", x.device_name as "deviceName", x.source_instance_id as "sourceInstanceId",
  x.target_instance_ids as "targetInstanceIds", x.strategy, x.code, x.message, x.requested_at as "requestedAt",
  coalesce(x.recorded_at, x.requested_at) as "recordedAt", x.traceparent, x.dead_letter as "deadLetter",
  x.original_size as "originalSize", x.content_type as "contentType", x.rejected_at as "settledAt"`

const positionOf = ({ topic, partition, offset }: EndedRow): SourcePosition => ({ topic, partition, offset })

export const outcomeOfMoveRow = (row: MoveOutcomeRow, route: RouteFields): Outcome =>
  outcomeOfMove({ ...row, source: positionOf(row) }, route, row.jobId, row.settledAt)

export const outcomeOfRejectionRow = (row: RejectionRow): Outcome =>
  outcomeOfRejection({ ...row, position: positionOf(row) }, row.settledAt)

/** Looks up routes by id and remembers them: they never change. */
export const createRouteReader = (pool: Pool): ((routeId: number) => Promise<RouteFields>) => {
  const known = new Map<number, RouteFields>()
  return async routeId => {
    const route = known.get(routeId) ?? (await readRoute(pool, routeId))
    known.set(routeId, route)
    return route
  }
}

/** Rows of one statement. */
const pageSize = 5_000

const selectMoves = `
  select ${moveOutcomeColumns}
  from outcome o
  join move m using (route_id, seq)
  join job j using (job_id)
  join consumed c using (source_id)
  where (o.route_id, o.seq) > ($1, $2) and o.final and c.topic = $3
  order by o.route_id, o.seq limit ${pageSize}`

const selectRejections = `
  select ${rejectionColumns}
  from rejection x join consumed c using (source_id)
  where (x.source_id, x.source_offset, x.ordinal) > ($1, $2, $3) and c.topic = $4
  order by x.source_id, x.source_offset, x.ordinal limit ${pageSize}`

async function* movePages(pool: Pool, topic: string): AsyncGenerator<readonly MoveOutcomeRow[]> {
  for (let after: readonly [number, bigint] = [0, 0n]; ; ) {
    const { rows } = await pool.query<MoveOutcomeRow>(selectMoves, [...after, topic])
    yield rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = [last.routeId, last.seq]
  }
}

async function* rejectionPages(pool: Pool, topic: string): AsyncGenerator<readonly RejectionRow[]> {
  for (let after: readonly [number, bigint, number] = [0, -1n, -1]; ; ) {
    const { rows } = await pool.query<RejectionRow>(selectRejections, [...after, topic])
    yield rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return
    after = [last.sourceId, last.offset, last.ordinal]
  }
}

/**
 * Final outcomes of every request read from `topic` (or file), each request and device once: moves by route and
 * position, then rejections by place. An outcome that is stored meanwhile may or may not be among them.
 */
export async function* finalOutcomes(pool: Pool, topic: string): AsyncGenerator<Outcome, void, undefined> {
  const routeOf = createRouteReader(pool)
  try {
    for await (const rows of movePages(pool, topic))
      for (const row of rows) yield outcomeOfMoveRow(row, await routeOf(row.routeId))
    for await (const rows of rejectionPages(pool, topic))
      for (const row of rows) yield outcomeOfRejectionRow(row)
  } catch (error) {
    throw asPortError(error)
  }
}
