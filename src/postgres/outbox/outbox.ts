import type { Pool, PoolClient } from 'pg'
import { defer } from 'rxjs'
import type { Outcome } from '../../domain/outcome'
import type { Outbox, OutboxChunk, OutboxLimits } from '../../ports/journal'
import { asPortError, inTransaction } from '../session/transaction'
import {
  createRouteReader,
  type MoveOutcomeRow,
  moveOutcomeColumns,
  outcomeOfMoveRow,
  outcomeOfRejectionRow,
  type RejectionRow,
  rejectionColumns,
} from './read-outcomes'

interface OutboxRow {
  readonly id: bigint
  readonly outcomes: number
  /** About what they take in memory. */
  readonly bytes: number
  readonly source_id: number | null
  readonly from_offset: bigint | null
  readonly to_offset: bigint | null
  readonly route_id: number | null
  readonly from_seq: bigint | null
  readonly to_seq: bigint | null
}

/** Rows looked at for one chunk. */
const maxRows = 1_000
/** What an outcome takes without its message and dead letter, about. */
const outcomeBytes = 1_000

// Those that fit by their number of outcomes, with their size: of dead letters only the length is looked up, which
// reads none of their bytes. The first is always among them.
const selectRows = `
  with next as (
    select o.*, sum(o.outcomes) over (order by o.outbox_id) - o.outcomes as before
    from (select * from outbox where outbox_id > $1 order by outbox_id limit ${maxRows}) o
  )
  select o.outbox_id as id, o.outcomes, o.source_id, o.from_offset, o.to_offset, j.route_id, j.from_seq, j.to_seq,
         (o.outcomes * ${outcomeBytes} + coalesce(size.bytes, 0))::float8 as bytes
  from next o
  left join job j using (job_id)
  left join lateral (
    select sum(octet_length(x.dead_letter) + octet_length(x.message)) as bytes
    from rejection x
    where x.source_id = o.source_id and x.source_offset between o.from_offset and o.to_offset
  ) size on o.source_id is not null
  where o.before = 0 or o.before + o.outcomes <= $2
  order by o.outbox_id`

// One query a row, with its range given: so each is two index ranges, whatever the size of the log.
const selectMoves = `
  select ${moveOutcomeColumns}
  from outcome o
  join move m on m.route_id = $1 and m.seq between $2 and $3 and m.seq = o.seq
  join job j on j.job_id = o.job_id
  join consumed c on c.source_id = m.source_id
  where o.route_id = $1 and o.seq between $2 and $3
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
    if (row.route_id === null) {
      const range = [row.source_id, row.from_offset, row.to_offset]
      return (await pool.query<RejectionRow>(selectRejections, range)).rows.map(outcomeOfRejectionRow)
    }
    const route = await routeOf(row.route_id)
    const range = [row.route_id, row.from_seq, row.to_seq]
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

// The counter stays locked until the transaction ends: rows appear in the order of their ids, without gaps. So
// this is the last thing a transaction does.
const insert = `
  with counter as (update outbox_counter set last_id = last_id + 1 returning last_id)
  insert into outbox (outbox_id, job_id, source_id, from_offset, to_offset, outcomes)
  select last_id, $1, $2, $3, $4, $5 from counter`

/** The outcomes of a settled job are to be published. */
export const outboxOfJob = async (client: PoolClient, batchId: number, outcomes: number): Promise<void> => {
  await client.query(insert, [batchId, null, null, null, outcomes])
}

/** The rejections of a range of offsets, both ends included, are to be published. */
export const outboxOfRejections = async (
  client: PoolClient,
  sourceId: number,
  fromOffset: bigint,
  toOffset: bigint,
  outcomes: number,
): Promise<void> => {
  await client.query(insert, [null, sourceId, fromOffset, toOffset, outcomes])
}
