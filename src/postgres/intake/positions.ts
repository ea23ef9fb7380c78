/** Where the journal stands in the partitions of a log, and what is stored of one apart from its records. */
import type { Pool } from 'pg'
import { lostText, RestoredDatabaseError } from '../../domain/restored-database'
import type { IntakeJournal } from '../../ports/journal'
import { inTransaction } from '../session/transaction'

interface ConsumedRow {
  readonly partition: number
  readonly next: bigint
  readonly life: number
  readonly stopped: string | null
  readonly committedBefore: bigint | null
  readonly lastOffset: bigint | null
  readonly lastTimestamp: bigint | null
  readonly lastDigest: string | null
}

const selectPositions = `
  select partition, next_offset as next, life, stopped_reason as stopped, committed_before as "committedBefore",
         last_offset as "lastOffset", last_timestamp as "lastTimestamp", last_digest as "lastDigest"
  from consumed where cluster_id = $1 and topic = $2 and partition = any($3::integer[])`

// The gap is counted once: done again, or by another replica, it begins at its end.
const skipGap = `
  update consumed
  set next_offset = greatest(next_offset, $5), lost_records = lost_records + greatest($5 - next_offset, 0),
      lost_at = case when $5 > next_offset then now() else lost_at end
  where cluster_id = $1 and topic = $2 and partition = $3 and next_offset >= $4`

const stopPartition = `
  insert into consumed (cluster_id, topic, partition, stopped_at, stopped_reason) values ($1, $2, $3, now(), $4)
  on conflict (cluster_id, topic, partition) do update
    set stopped_at = now(), stopped_reason = excluded.stopped_reason where consumed.stopped_at is null`

export const createPositions = (pool: Pool): Pick<IntakeJournal, 'positions' | 'skip' | 'stop'> => ({
  positions: (clusterId, topic, partitions) =>
    inTransaction(pool, async client => {
      const { rows } = await client.query<ConsumedRow>(selectPositions, [clusterId, topic, partitions])
      return new Map(
        rows.map(({ partition, lastOffset, lastTimestamp, lastDigest, ...at }) => {
          const isWhole = lastOffset !== null && lastTimestamp !== null && lastDigest !== null
          const last = isWhole
            ? { offset: lastOffset, timestampMs: Number(lastTimestamp), digest: lastDigest }
            : null
          return [partition, { ...at, last }]
        }),
      )
    }),
  skip: ({ clusterId, topic, partition }, { from, to }) =>
    inTransaction(pool, async client => {
      const { rowCount } = await client.query(skipGap, [clusterId, topic, partition, from, to])
      if (rowCount === 0)
        throw new RestoredDatabaseError(
          lostText(`${topic}/${partition} was stored up to offset ${from}, and is no longer`),
        )
    }),
  stop: ({ clusterId, topic, partition }, reason) =>
    inTransaction(pool, async client => {
      await client.query(stopPartition, [clusterId, topic, partition, reason])
    }),
})
