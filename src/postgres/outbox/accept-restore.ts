/** What an operator accepts: a database that has lost commits goes on from where Kafka is, and another log has a new life. */
import type { Pool, PoolClient } from 'pg'
import type { Observable } from 'rxjs'
import type { LogPartition } from '../../ports/journal'
import { inTransaction } from '../session/transaction'

/** A partition of the requests topic as Kafka knows it. */
export interface KnownPartition extends LogPartition {
  /** The first offset that is still there. */
  readonly low: bigint
  readonly committed: bigint | null
}

export interface Acceptance {
  readonly publisher: string
  /** Id of the last outbox row that was published. */
  readonly published: bigint
  /** Whether the database has lost commits. */
  readonly isRestored: boolean
  readonly partitions: readonly KnownPartition[]
  /** Those of them that hold another log than the one that was read. */
  readonly others: readonly KnownPartition[]
}

export interface Accepted {
  /** Rows of the outbox that were, as far as can be told, published before; they are published again. */
  readonly publishedAgain: number
}

/** Why every flow is stopped; null: none is, as far as the database says. */
export const stopReason = (pool: Pool): Observable<string | null> =>
  inTransaction(pool, async client => {
    const { rows } = await client.query<{ reason: string }>('select reason from database_stop')
    return rows[0]?.reason ?? null
  })

// No restored database is a million holders behind, so what an old holder writes late is refused, whoever it was.
const raiseEpoch = `
  update lease l
  set epoch = greatest(l.epoch, (select s.epoch from database_stop s)) + 1000000
  returning l.epoch`

// Every acceptance raises the epoch by a million. So its number is above those of all earlier ones, also of such that the
// restored database has forgotten: processes that have seen them notice that this is another.
const noteRestore = `
  insert into accepted_restore (restore_id, outbox_end, epoch) overriding system value
  select greatest(l.epoch, (select s.epoch from database_stop s)) / 1000000 + 1, c.last_id, l.epoch
  from outbox_counter c, lease l`

const raiseCounter = `
  update outbox_counter
  set last_id = greatest(last_id, $1, (select s.outbox_end from database_stop s))`

const rememberPublished = `
  insert into published (publisher, position) values ($1, $2)
  on conflict (publisher) do update set position = excluded.position, published_at = now()`

// By their ids, rows up to the published position were published before the loss. If anything was settled between the loss
// and its discovery, it has such an id too. An outcome that comes twice can be told by its id; one that never comes cannot.
const publishAgain = `
  with numbered as (
    select o.outbox_id, c.last_id + row_number() over (order by o.outbox_id) as new_id
    from outbox o, outbox_counter c
  )
  update outbox o set outbox_id = n.new_id from numbered n where n.outbox_id = o.outbox_id
  returning n.outbox_id <= $1 as again`

// A partition that the database does not know is read from its beginning, although the group had read it.
const readAgain = `
  insert into consumed as c (cluster_id, topic, partition, next_offset, committed_before)
  values ($1, $2, $3, $4, $5)
  on conflict (cluster_id, topic, partition) do update
    set committed_before = excluded.committed_before where excluded.committed_before > c.next_offset`

const acceptRestored = async (
  client: PoolClient,
  { publisher, published, partitions }: Acceptance,
): Promise<number> => {
  await client.query('select from outbox_counter for update')
  await client.query(noteRestore)
  await client.query(raiseCounter, [published])
  await client.query(raiseEpoch)
  await client.query('delete from database_stop')
  for (const { clusterId, topic, partition, low, committed } of partitions)
    if (committed !== null) await client.query(readAgain, [clusterId, topic, partition, low, committed])
  await client.query(rememberPublished, [publisher, published])
  const { rows, rowCount } = await client.query<{ again: boolean }>(publishAgain, [published])
  await client.query('update outbox_counter set last_id = last_id + $1', [rowCount])
  return rows.filter(({ again }) => again).length
}

/** The old row keeps its moves and their positions; the new log gets a row of its own. */
const acceptOther = async (
  client: PoolClient,
  { clusterId, topic, partition, low, committed }: KnownPartition,
): Promise<void> => {
  const { rows } = await client.query<{ life: number }>(
    `update consumed
     set cluster_id = cluster_id || '/given-up-' || source_id, stopped_at = null, stopped_reason = null
     where cluster_id = $1 and topic = $2 and partition = $3
     returning life`,
    [clusterId, topic, partition],
  )
  await client.query(
    `insert into consumed (cluster_id, topic, partition, life, next_offset, committed_before)
     values ($1, $2, $3, $4, $5, $6)`,
    [clusterId, topic, partition, (rows[0]?.life ?? 0) + 1, low, committed],
  )
}

/**
 * A restored database goes on: everything settled from now on is published, what the group had read and the database does
 * not have is read again, and no holder of the lease from before can write. Another log is read from its beginning, under
 * ids of its own. It is one transaction, and calls nobody.
 */
export const acceptRestore = (pool: Pool, acceptance: Acceptance): Observable<Accepted> =>
  inTransaction(pool, async client => {
    const publishedAgain = acceptance.isRestored ? await acceptRestored(client, acceptance) : 0
    for (const other of acceptance.others) await acceptOther(client, other)
    return { publishedAgain }
  })
