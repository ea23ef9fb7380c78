import type { Pool } from 'pg'
import { type Outcome, outcomeOfMove, outcomeOfRejection } from '../../domain/outcome'
import type { RejectionCode } from '../../domain/request'
import type { RouteFields } from '../../domain/route'
import { type RouteRow, routeColumns, routeOfRow } from '../route-rows'

interface SourceRow {
  readonly topic: string
  readonly partition: number
  readonly source_offset: bigint
  readonly request_id: string
  readonly requested_at: Date
  readonly recorded_at: Date
  readonly settled_at: Date
  readonly code: string
  readonly message: string | null
  readonly traceparent: string | null
}

export interface MoveOutcomeRow extends SourceRow {
  readonly route_id: number
  readonly seq: bigint
  readonly device_name: string
  readonly attempt: number
  readonly outcome: 'moved' | 'failed'
  readonly final: boolean
  readonly provider_job_id: string | null
}

export interface RejectionRow extends SourceRow {
  readonly outcome_id: string
  readonly source_id: number
  readonly ordinal: number
  readonly product_key: string | null
  readonly device_name: string | null
  readonly source_instance_id: string | null
  readonly target_instance_ids: string[] | null
  readonly strategy: number | null
  readonly message: string
  readonly dead_letter: Buffer
  readonly original_size: number | null
  readonly content_type: string | null
}

/** For a select over `move m`, `outcome o`, `job j`, `consumed c`. */
export const moveOutcomeColumns = `m.route_id, m.seq, c.topic, c.partition, m.source_offset, m.request_id, m.requested_at,
  coalesce(m.recorded_at, m.requested_at) as recorded_at, j.settled_at, o.code, o.message, m.traceparent, m.device_name, m.attempt, o.outcome, o.final, j.provider_job_id`

/** For a select over `rejection x`, `consumed c`. */
export const rejectionColumns = `coalesce(x.outcome_id, c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal)
    as outcome_id,
  x.source_id, c.topic, c.partition, x.source_offset, x.ordinal, x.request_id,
  x.requested_at, coalesce(x.recorded_at, x.requested_at) as recorded_at, x.rejected_at as settled_at, x.code, x.message, x.traceparent, x.product_key, x.device_name,
  x.source_instance_id, x.target_instance_ids, x.strategy, x.dead_letter, x.original_size, x.content_type`

export const outcomeOfMoveRow = (row: MoveOutcomeRow, route: RouteFields): Outcome =>
  outcomeOfMove(
    {
      source: { topic: row.topic, partition: row.partition, offset: row.source_offset },
      requestId: row.request_id,
      deviceName: row.device_name,
      attempt: row.attempt,
      requestedAt: row.requested_at,
      recordedAt: row.recorded_at,
      traceparent: row.traceparent,
      outcome: row.outcome,
      final: row.final,
      code: row.code,
      message: row.message,
    },
    route,
    row.provider_job_id,
    row.settled_at,
  )

export const outcomeOfRejectionRow = (row: RejectionRow): Outcome =>
  outcomeOfRejection(
    {
      id: row.outcome_id,
      position: { topic: row.topic, partition: row.partition, offset: row.source_offset },
      ordinal: row.ordinal,
      requestId: row.request_id,
      productKey: row.product_key,
      deviceName: row.device_name,
      sourceInstanceId: row.source_instance_id,
      targetInstanceIds: row.target_instance_ids,
      strategy: row.strategy,
      // Only this journal writes the column, from a `RejectionCode`.
      code: row.code as RejectionCode,
      message: row.message,
      requestedAt: row.requested_at,
      recordedAt: row.recorded_at,
      traceparent: row.traceparent,
      deadLetter: row.dead_letter,
      originalSize: row.original_size,
      contentType: row.content_type,
    },
    row.settled_at,
  )

/** Looks up routes by id and remembers them: they never change. */
export const createRouteReader = (pool: Pool): ((routeId: number) => Promise<RouteFields>) => {
  const known = new Map<number, RouteFields>()
  return async routeId => {
    const before = known.get(routeId)
    if (before !== undefined) return before
    const { rows } = await pool.query<RouteRow>(`select ${routeColumns} from route r where r.route_id = $1`, [
      routeId,
    ])
    const [row] = rows
    if (row === undefined) throw new Error(`there is no route ${routeId}`)
    const route = routeOfRow(row)
    known.set(routeId, route)
    return route
  }
}
