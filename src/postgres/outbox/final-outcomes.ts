/** Reads all final outcomes of one topic, or file, out of the rows of the journal. */
import type { Pool } from 'pg'
import type { Outcome } from '../../domain/outcome'
import { asPortError } from '../session/transaction'
import {
  createRouteReader,
  type MoveOutcomeRow,
  moveOutcomeColumns,
  outcomeOfMoveRow,
  outcomeOfRejectionRow,
  type RejectionRow,
  rejectionColumns,
} from './outbox'

/** Rows of one statement. */
const pageSize = 5_000

const selectMoves = `
  select ${moveOutcomeColumns}
  from outcome o
  join move m using (route_id, seq)
  join job j using (job_id)
  left join job_part p on p.job_id = o.job_id and p.part = o.part
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
