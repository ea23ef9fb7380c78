/** The publisher's side of the journal: the outcomes of the outbox in chunks, and how far they are published. */
import type { Pool } from 'pg'
import { defer } from 'rxjs'
import { type Outcome, outcomeOfMove, outcomeOfRejection, type SettledMove } from '../../domain/outcome'
import type { Rejection, SourcePosition } from '../../domain/request'
import type { RouteFields } from '../../domain/route'
import type { Outbox, OutboxChunk, OutboxLimits } from '../../ports/journal'
import { asPortError, inTransaction } from '../session/transaction'
import { routeColumns } from '../shared-sql'

/** Columns that both kinds of rows have. */
interface EndedRow extends SourcePosition {
  readonly log: string | null
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

/** The name of the topic in ids, where it is not the topic's own (`logName`). */
const logColumn = `case when c.life > 1 then c.topic || '@' || c.life end as log`

/** For a select over `move m`, `outcome o`, `job j`, `job_part p`, `consumed c`. */
export const moveOutcomeColumns = `m.route_id as "routeId", m.seq, c.topic, c.partition, m.source_offset as "offset",
  ${logColumn}, m.request_id as "requestId", m.device_name as "deviceName", m.attempt, m.requested_at as "requestedAt",
  coalesce(m.recorded_at, m.requested_at) as "recordedAt", m.traceparent, o.outcome, o.final, o.code, o.message,
  j.provider_job_id as "jobId", coalesce(p.settled_at, j.settled_at) as "settledAt"`

/** For a select over `rejection x`, `consumed c`. Only this journal writes `code`, from a `RejectionCode`. */
export const rejectionColumns = `
  coalesce(x.outcome_id, c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal) as id,
  x.source_id as "sourceId", c.topic, c.partition, x.source_offset as "offset", ${logColumn}, x.ordinal, x.request_id as "requestId",
  x.product_key as "productKey", x.device_name as "deviceName", x.source_instance_id as "sourceInstanceId",
  x.target_instance_ids as "targetInstanceIds", x.strategy, x.code, x.message, x.requested_at as "requestedAt",
  coalesce(x.recorded_at, x.requested_at) as "recordedAt", x.traceparent, x.dead_letter as "deadLetter",
  x.original_size as "originalSize", x.content_type as "contentType", x.rejected_at as "settledAt"`

const positionOf = ({ topic, partition, offset, log }: EndedRow): SourcePosition => ({
  topic,
  partition,
  offset,
  ...(log === null ? {} : { log }),
})

export const outcomeOfMoveRow = (row: MoveOutcomeRow, route: RouteFields): Outcome =>
  outcomeOfMove({ ...row, source: positionOf(row) }, route, row.jobId, row.settledAt)

export const outcomeOfRejectionRow = (row: RejectionRow): Outcome =>
  outcomeOfRejection({ ...row, position: positionOf(row) }, row.settledAt)

const selectRoute = `select ${routeColumns} from route r where r.route_id = $1`

/** Looks up routes by id and remembers them: they never change. */
export const createRouteReader = (pool: Pool): ((routeId: number) => Promise<RouteFields>) => {
  const known = new Map<number, RouteFields>()
  return async routeId => {
    const before = known.get(routeId)
    if (before !== undefined) return before
    const [route] = (await pool.query<RouteFields>(selectRoute, [routeId])).rows
    if (route === undefined) throw new Error(`there is no route ${routeId}`)
    known.set(routeId, route)
    return route
  }
}

interface OutboxRow {
  readonly id: bigint
  readonly outcomes: number
  /** Roughly what they take in memory. */
  readonly bytes: number
  readonly sourceId: number | null
  readonly fromOffset: bigint | null
  readonly toOffset: bigint | null
  readonly routeId: number | null
  readonly fromSeq: bigint | null
  readonly toSeq: bigint | null
  /** The part of the job; null: all of it. */
  readonly part: number | null
}

/** Most rows of the outbox that are looked at for one chunk. */
const maxRows = 1_000
/** Roughly what an outcome takes without its message and dead letter, bytes. */
const outcomeBytes = 1_000

// The rows that fit by their number of outcomes, with their size; the first is always among them. Only the length of a dead
// letter is looked up, which reads none of its bytes.
const selectRows = `
  with next as (
    select o.*, sum(o.outcomes) over (order by o.outbox_id) - o.outcomes as before
    from (select * from outbox where outbox_id > $1 order by outbox_id limit ${maxRows}) o
  )
  select o.outbox_id as id, o.outcomes, o.source_id as "sourceId", o.from_offset as "fromOffset",
         o.to_offset as "toOffset", j.route_id as "routeId", coalesce(p.from_seq, j.from_seq) as "fromSeq", coalesce(p.to_seq, j.to_seq) as "toSeq", o.part,
         (o.outcomes * ${outcomeBytes} + coalesce(size.bytes, 0))::float8 as bytes
  from next o
  left join job j using (job_id)
  left join job_part p on p.job_id = o.job_id and p.part = o.part
  left join lateral (
    select sum(octet_length(x.dead_letter) + octet_length(x.message)) as bytes
    from rejection x
    where x.source_id = o.source_id and x.source_offset between o.from_offset and o.to_offset
  ) size on o.source_id is not null
  where o.before = 0 or o.before + o.outcomes <= $2
  order by o.outbox_id`

// One query a row of the outbox with its range given reads two index ranges, whatever the size of the log.
const selectMoves = `
  select ${moveOutcomeColumns}
  from outcome o
  join move m on m.route_id = $1 and m.seq between $2 and $3 and m.seq = o.seq
  join job j on j.job_id = o.job_id
  left join job_part p on p.job_id = o.job_id and p.part = o.part
  join consumed c on c.source_id = m.source_id
  where o.route_id = $1 and o.seq between $2 and $3 and o.part is not distinct from $4::integer
  order by o.seq`

const selectRejections = `
  select ${rejectionColumns}
  from rejection x join consumed c using (source_id)
  where x.source_id = $1 and x.source_offset between $2 and $3
  order by x.source_offset, x.ordinal`

/** The rows of one chunk: as many as fit, at least one. */
const fitting = (rows: readonly OutboxRow[], most: OutboxLimits): OutboxRow[] => {
  let outcomes = 0
  let bytes = 0
  const end = rows.findIndex(row => {
    outcomes += row.outcomes
    bytes += row.bytes
    return outcomes > most.outcomes || bytes > most.bytes
  })
  return rows.slice(0, end < 0 ? rows.length : Math.max(end, 1))
}

const createRowReader = (pool: Pool): ((row: OutboxRow) => Promise<Outcome[]>) => {
  const routeOf = createRouteReader(pool)
  return async row => {
    if (row.routeId === null) {
      const range = [row.sourceId, row.fromOffset, row.toOffset]
      return (await pool.query<RejectionRow>(selectRejections, range)).rows.map(outcomeOfRejectionRow)
    }
    const route = await routeOf(row.routeId)
    const range = [row.routeId, row.fromSeq, row.toSeq, row.part]
    return (await pool.query<MoveOutcomeRow>(selectMoves, range)).rows.map(found =>
      outcomeOfMoveRow(found, route),
    )
  }
}

/** The publisher's side of the journal. Needs no lease: the sink fences publishers. */
export const createOutbox = (pool: Pool): Outbox => {
  const read = createRowReader(pool)
  const next = async (position: bigint, most: OutboxLimits): Promise<OutboxChunk | null> => {
    const rows = fitting((await pool.query<OutboxRow>(selectRows, [position, most.outcomes])).rows, most)
    const last = rows.at(-1)
    if (last === undefined) return null
    const outcomes: Outcome[] = []
    for (const row of rows) {
      const found = await read(row)
      if (found.length !== row.outcomes)
        throw new Error(`outbox row ${row.id}: ${found.length} outcomes instead of ${row.outcomes}`)
      for (const outcome of found) outcomes.push(outcome)
    }
    return { lastId: last.id, outcomes }
  }

  return {
    next: (position, most) =>
      defer(() =>
        next(position, most).catch((error: unknown) => {
          throw asPortError(error)
        }),
      ),
    position: publisher =>
      inTransaction(pool, async client => {
        const { rows } = await client.query<{ published: bigint; end: bigint }>(
          `select coalesce((select position from published where publisher = $1), 0) as published, last_id as "end"
           from outbox_counter`,
          [publisher],
        )
        const [row] = rows
        if (row === undefined) throw new Error('the outbox has no counter')
        return row
      }),
    published: (publisher, position) =>
      inTransaction(pool, async client => {
        await client.query(
          `insert into published (publisher, position) values ($1, $2)
           on conflict (publisher) do update
             set position = greatest(published.position, excluded.position), published_at = now()`,
          [publisher, position],
        )
        await client.query('delete from outbox where outbox_id <= $1', [position])
      }),
  }
}
