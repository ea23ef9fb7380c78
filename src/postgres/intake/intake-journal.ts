/** Intake's side of the journal: one chunk of a partition becomes moves, rejections and a new position. */
import type { Pool, PoolClient } from 'pg'
import { map } from 'rxjs'
import { firstRejections } from '../../domain/request'
import type { AppendReceipt, IntakeJournal, JournalChunk } from '../../ports/journal'
import { inTransaction } from '../session/transaction'
import { appendToOutbox } from '../shared-sql'
import { type Appended, appendMoves, type KnownRoutes } from './append-moves'
import { insertRejections } from './rejections'

interface Consumed {
  readonly source_id: number
  readonly next_offset: bigint
}

/** The partition's row, made if it is new. It is locked, so chunks of one partition follow each other. */
const lockConsumed = async (client: PoolClient, chunk: JournalChunk): Promise<Consumed> => {
  const source = [chunk.clusterId, chunk.topic, chunk.partition]
  const lock = async (): Promise<Consumed | undefined> => {
    const { rows } = await client.query<Consumed>(
      `select source_id, next_offset from consumed
       where cluster_id = $1 and topic = $2 and partition = $3 for update`,
      source,
    )
    return rows[0]
  }
  const known = await lock()
  if (known !== undefined) return known
  await client.query(
    'insert into consumed (cluster_id, topic, partition) values ($1, $2, $3) on conflict do nothing',
    source,
  )
  const made = await lock()
  if (made === undefined) throw new Error(`no row for ${source.join('/')}`)
  return made
}

const append = async (client: PoolClient, chunk: JournalChunk, known: KnownRoutes) => {
  const { source_id: sourceId, next_offset: from } = await lockConsumed(client, chunk)
  const isNew = ({ position }: { readonly position: { readonly offset: bigint } }): boolean =>
    position.offset >= from
  const requests = chunk.requests.filter(isNew)
  const rejections = chunk.rejections.filter(isNew)
  const nothing: Appended = { moves: 0, repeats: 0, added: new Map() }
  if (chunk.nextOffset <= from) return { receipt: { moves: 0, rejections: 0 }, added: nothing.added }
  const inserted =
    rejections.length === 0
      ? 0
      : await insertRejections(client, sourceId, firstRejections(requests, rejections))
  const { moves, repeats, added } =
    requests.length > 0 ? await appendMoves(client, sourceId, requests, known) : nothing
  await client.query(
    `update consumed set next_offset = $2, repeated_rejections = repeated_rejections + $3 where source_id = $1
     returning pg_notify('device_move', '')`,
    [sourceId, chunk.nextOffset, rejections.length - inserted + repeats],
  )
  if (inserted > 0)
    await client.query(appendToOutbox, [null, sourceId, from, chunk.nextOffset - 1n, inserted])
  const receipt: AppendReceipt = { moves, rejections: inserted }
  return { receipt, added }
}

/** Intake's side of the journal. Needs no lease: every replica appends. */
export const createIntakeJournal = (pool: Pool): IntakeJournal => {
  const known: KnownRoutes = new Map()
  return {
    append: chunk =>
      inTransaction(pool, client => append(client, chunk, known)).pipe(
        // Only routes of a committed transaction may be remembered.
        map(({ receipt, added }) => {
          for (const [key, id] of added) known.set(key, id)
          return receipt
        }),
      ),
    positions: (clusterId, topic, partitions) =>
      inTransaction(pool, async client => {
        const { rows } = await client.query<{ partition: number; next_offset: bigint }>(
          `select partition, next_offset from consumed
           where cluster_id = $1 and topic = $2 and partition = any($3::integer[])`,
          [clusterId, topic, partitions],
        )
        return new Map(rows.map(row => [row.partition, row.next_offset]))
      }),
  }
}
