/** What this process has seen in the database. What writes there notes it, and each new connection is compared with it. */
import type { ClientBase } from 'pg'
import { type DatabaseMarks, lostSince } from '../../domain/restored-database'

/** Of each the highest. */
export interface SeenMarks {
  restore: number
  epoch: bigint
  outboxEnd: bigint
  lastBatch: number
  /** Next offset by `source_id`. */
  positions: Map<string, bigint>
  /** After the newest transaction that this process has committed. */
  nextTransaction: bigint
}

export const createSeenMarks = (): SeenMarks => ({
  restore: 0,
  epoch: 0n,
  outboxEnd: 0n,
  lastBatch: 0,
  positions: new Map(),
  nextTransaction: 0n,
})

const selectMarks = `
  select coalesce((select max(restore_id) from accepted_restore), 0) as restore,
         (select reason from database_stop) as stopped,
         (select epoch from lease) as epoch,
         (select last_id from outbox_counter) as "outboxEnd",
         coalesce((select max(job_id) from job), 0)::float8 as "lastBatch",
         pg_snapshot_xmax(pg_current_snapshot())::text::bigint as "nextTransaction",
         (select coalesce(array_agg(source_id || ' ' || next_offset), '{}') from consumed) as positions`

interface MarksRow extends Omit<DatabaseMarks, 'positions'> {
  readonly stopped: string | null
  readonly positions: readonly string[]
}

const positionsOf = (texts: readonly string[]): Map<string, bigint> =>
  new Map(
    texts.map(text => {
      const [source = '', next = '0'] = text.split(' ')
      return [source, BigInt(next)]
    }),
  )

const larger = <T extends bigint | number>(one: T, other: T): T => (one > other ? one : other)

/**
 * The number of the next transaction is left to what this process commits itself. It also counts transactions that were
 * rolled back, and a server that crashes may give their numbers out again.
 */
const raise = (seen: SeenMarks, found: DatabaseMarks): void => {
  seen.restore = larger(seen.restore, found.restore)
  seen.epoch = larger(seen.epoch, found.epoch)
  seen.outboxEnd = larger(seen.outboxEnd, found.outboxEnd)
  seen.lastBatch = larger(seen.lastBatch, found.lastBatch)
  for (const [source, next] of found.positions)
    seen.positions.set(source, larger(seen.positions.get(source) ?? 0n, next))
}

/**
 * Compares the database with what was seen, and remembers what it shows. Gives for people why nothing may be done on it;
 * null: nothing is known against it. An accepted restore makes it forget what was seen before.
 */
export const compareMarks = async (
  client: Pick<ClientBase, 'query'>,
  seen: SeenMarks,
): Promise<string | null> => {
  // Taken before the question is asked: what other connections commit meanwhile need not be in the answer.
  const before: DatabaseMarks = { ...seen, positions: new Map(seen.positions) }
  const { rows } = await client.query<MarksRow>(selectMarks)
  const [row] = rows
  if (row === undefined) throw new Error('the database shows no marks')
  const { stopped, positions, ...marks } = row
  const found: DatabaseMarks = { ...marks, positions: positionsOf(positions) }
  if (found.restore > before.restore) Object.assign(seen, { ...found, nextTransaction: 0n })
  const lost = found.restore > before.restore ? null : lostSince(before, found)
  const reason = stopped ?? lost
  if (reason === null) raise(seen, found)
  return reason
}
