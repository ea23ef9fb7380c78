/** What an operator accepts after a database was restored from a backup: its positions move on to where Kafka is. */
import type { Pool } from 'pg'
import { inTransaction } from '../session/transaction'

/** A partition of the requests topic whose stored position lies above its end. */
export interface BeyondEnd {
  readonly clusterId: string
  readonly topic: string
  readonly partition: number
  /** First offset that is still there, from which the partition is read on. */
  readonly low: bigint
}

export interface AcceptedRestore {
  /** Id of the newest row of the outbox before. */
  readonly end: bigint
  /** Rows from before that had been published already; they are deleted. */
  readonly publishedRows: number
}

/**
 * Moves the outbox's counter to `position`, so that everything settled from now on is published, and lets partitions be
 * read from the start of their new log. It is one transaction, and a second run changes nothing.
 */
export const acceptRestore = (
  pool: Pool,
  publisher: string,
  position: bigint,
  beyond: readonly BeyondEnd[],
) =>
  inTransaction<AcceptedRestore>(pool, async client => {
    const { rows } = await client.query<{ last_id: bigint }>('select last_id from outbox_counter for update')
    const end = rows[0]?.last_id ?? 0n
    let publishedRows = 0
    if (position > end) {
      await client.query('update outbox_counter set last_id = $1', [position])
      await client.query(
        `insert into published (publisher, position) values ($1, $2)
         on conflict (publisher) do update set position = excluded.position, published_at = now()`,
        [publisher, position],
      )
      // Ids follow the order of commits, so what a restored database still holds was published before the loss.
      publishedRows =
        (await client.query('delete from outbox where outbox_id <= $1', [position])).rowCount ?? 0
    }
    for (const { clusterId, topic, partition, low } of beyond) {
      // The old row keeps its moves and their positions; the new log gets a row of its own.
      await client.query(
        `update consumed set cluster_id = cluster_id || '/given-up-' || source_id
         where cluster_id = $1 and topic = $2 and partition = $3`,
        [clusterId, topic, partition],
      )
      await client.query(
        'insert into consumed (cluster_id, topic, partition, next_offset) values ($1, $2, $3, $4)',
        [clusterId, topic, partition, low],
      )
    }
    return { end, publishedRows }
  })
