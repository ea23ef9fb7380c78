/** Intake's side of the journal: one chunk of a partition becomes moves, rejections and a new position. */
import type { Pool, PoolClient } from 'pg'
import { map } from 'rxjs'
import { firstRejections, type Rejection } from '../../domain/request'
import { lostText, RestoredDatabaseError } from '../../domain/restored-database'
import { StoppedPartitionError } from '../../ports/errors'
import type { AppendReceipt, IntakeJournal, JournalChunk } from '../../ports/journal'
import type { SeenMarks } from '../session/seen-marks'
import { inTransaction } from '../session/transaction'
import { appendToOutbox, notifyChange } from '../shared-sql'
import { type Appended, appendMoves, type KnownRoutes } from './append-moves'
import { createPositions } from './positions'

/** Most bytes of dead letters in one statement. A bytea travels as text of twice its size. */
const maxBytesPerStatement = 16_000_000

interface Column {
  readonly name: string
  /** Type of the parameter's elements. */
  readonly type: string
  /** SQL that turns the parameter into the column. Without it the parameter is stored unchanged. */
  readonly stored?: string
  readonly of: (rejection: Rejection) => unknown
}

const columns: readonly Column[] = [
  { name: 'source_offset', type: 'bigint', of: ({ position }) => position.offset },
  { name: 'ordinal', type: 'integer', of: ({ ordinal }) => ordinal },
  {
    name: 'requested_at',
    type: 'float8',
    stored: 'to_timestamp(requested_at / 1000.0)',
    of: ({ requestedAt }) => requestedAt.getTime(),
  },
  { name: 'request_id', type: 'text', of: ({ requestId }) => requestId },
  { name: 'product_key', type: 'text', of: ({ productKey }) => productKey },
  { name: 'device_name', type: 'text', of: ({ deviceName }) => deviceName },
  { name: 'source_instance_id', type: 'text', of: ({ sourceInstanceId }) => sourceInstanceId },
  {
    name: 'target_instance_ids',
    type: 'jsonb',
    stored: `case when target_instance_ids is not null then
               array(select jsonb_array_elements_text(target_instance_ids)) end`,
    of: ({ targetInstanceIds }) => targetInstanceIds && JSON.stringify(targetInstanceIds),
  },
  { name: 'strategy', type: 'smallint', of: ({ strategy }) => strategy },
  { name: 'code', type: 'text', of: ({ code }) => code },
  { name: 'message', type: 'text', of: ({ message }) => message },
  { name: 'traceparent', type: 'text', of: ({ traceparent }) => traceparent },
  { name: 'dead_letter', type: 'bytea', of: ({ deadLetter }) => Buffer.from(deadLetter) },
  { name: 'original_size', type: 'integer', of: ({ originalSize }) => originalSize },
  {
    name: 'recorded_at',
    type: 'float8',
    stored: 'to_timestamp(recorded_at / 1000.0)',
    of: ({ recordedAt }) => recordedAt.getTime(),
  },
  { name: 'content_type', type: 'text', of: ({ contentType }) => contentType },
  { name: 'outcome_id', type: 'text', of: ({ id }) => id },
]
const names = columns.map(({ name }) => name).join(', ')
const stored = columns.map(({ name, stored = name }) => stored).join(', ')
const parameters = columns.map(({ type }, index) => `$${index + 2}::${type}[]`).join(', ')

// `on conflict` has no target, so neither the same place nor a repeat of the same request is stored again. A bad repeat of
// an accepted request is not stored either: its move has, or will have, the one final outcome.
const insert = `
  insert into rejection (source_id, rejected_at, content, ${names})
  select $1, now(), case when device_name is null then md5(dead_letter) || '/' || ordinal end, ${stored}
  from unnest(${parameters}) as t (${names})
  where device_name is null or not exists (
    select from move m join route r using (route_id)
    where m.device_name = t.device_name and m.request_id = t.request_id and r.product_key = t.product_key)
  on conflict do nothing`

const slices = (rejections: readonly Rejection[]): Rejection[][] => {
  const parts: Rejection[][] = []
  let room = 0
  for (const rejection of rejections) {
    const part = parts.at(-1)
    room -= rejection.deadLetter.byteLength
    if (part !== undefined && room > 0) part.push(rejection)
    else {
      parts.push([rejection])
      room = maxBytesPerStatement - rejection.deadLetter.byteLength
    }
  }
  return parts
}

/** Stores rejections. Gives how many were new. */
const insertRejections = async (
  client: PoolClient,
  sourceId: number,
  rejections: readonly Rejection[],
): Promise<number> => {
  let inserted = 0
  for (const part of slices(rejections)) {
    const { rowCount } = await client.query(insert, [sourceId, ...columns.map(({ of }) => part.map(of))])
    inserted += rowCount ?? 0
  }
  return inserted
}

interface Consumed {
  readonly source_id: number
  readonly next_offset: bigint
  readonly life: number
  readonly stopped_reason: string | null
  /** Why all flows are stopped. */
  readonly all_stopped: string | null
}

/**
 * The partition's row, made if it is new. It is locked, so chunks of one partition follow each other. Throws when the chunk
 * must not be appended to what is stored.
 */
const lockConsumed = async (client: PoolClient, chunk: JournalChunk): Promise<Consumed> => {
  const source = [chunk.clusterId, chunk.topic, chunk.partition]
  const lock = async (): Promise<Consumed | undefined> => {
    const { rows } = await client.query<Consumed>(
      `select source_id, next_offset, life, stopped_reason,
              (select s.reason from database_stop s) as all_stopped
       from consumed
       where cluster_id = $1 and topic = $2 and partition = $3 for update of consumed`,
      source,
    )
    return rows[0]
  }
  const known = await lock()
  if (known !== undefined) return checked(chunk, known)
  if (chunk.continuesFrom !== null) throw lost(chunk, chunk.continuesFrom, null)
  await client.query(
    'insert into consumed (cluster_id, topic, partition) values ($1, $2, $3) on conflict do nothing',
    source,
  )
  const made = await lock()
  if (made === undefined) throw new Error(`no row for ${source.join('/')}`)
  return checked(chunk, made)
}

const lost = (
  { topic, partition }: Pick<JournalChunk, 'topic' | 'partition'>,
  from: bigint,
  stored: bigint | null,
): RestoredDatabaseError =>
  new RestoredDatabaseError(
    lostText(
      `${topic}/${partition} was stored up to offset ${from}, but the journal stands at ${stored ?? 'none'}`,
    ),
  )

const checked = (chunk: JournalChunk, stored: Consumed): Consumed => {
  const { topic, partition, life, continuesFrom } = chunk
  if (stored.all_stopped !== null) throw new RestoredDatabaseError(stored.all_stopped)
  if (stored.stopped_reason !== null) throw new StoppedPartitionError(stored.stopped_reason)
  if (stored.life !== life)
    throw new StoppedPartitionError(
      `${topic}/${partition} is read in its life ${life}, and is in its life ${stored.life}`,
    )
  if (continuesFrom !== null && stored.next_offset < continuesFrom)
    throw lost(chunk, continuesFrom, stored.next_offset)
  return stored
}

const advance = `
  update consumed
  set next_offset = $2, repeated_rejections = repeated_rejections + $3, last_offset = $4, last_timestamp = $5,
      last_digest = $6, committed_before = case when committed_before > $2 then committed_before end
  where source_id = $1
  returning ${notifyChange}`

/** Both offsets are included. */
const publishRejections = appendToOutbox('source_id, from_offset, to_offset, outcomes', '$1, $2, $3, $4')

const append = async (client: PoolClient, chunk: JournalChunk, known: KnownRoutes) => {
  const { source_id: sourceId, next_offset: from } = await lockConsumed(client, chunk)
  const isNew = ({ position }: { readonly position: { readonly offset: bigint } }): boolean =>
    position.offset >= from
  const requests = chunk.requests.filter(isNew)
  const rejections = chunk.rejections.filter(isNew)
  const nothing: Appended = { moves: 0, repeats: 0, added: new Map() }
  if (chunk.nextOffset <= from)
    return { receipt: { moves: 0, rejections: 0 }, added: nothing.added, sourceId, next: from }
  const inserted =
    rejections.length === 0
      ? 0
      : await insertRejections(client, sourceId, firstRejections(requests, rejections))
  const { moves, repeats, added } =
    requests.length > 0 ? await appendMoves(client, sourceId, requests, known) : nothing
  const { last, nextOffset } = chunk
  const lastRecord = [last?.offset ?? null, last?.timestampMs ?? null, last?.digest ?? null]
  await client.query(advance, [sourceId, nextOffset, rejections.length - inserted + repeats, ...lastRecord])
  if (inserted > 0) await client.query(publishRejections, [sourceId, from, nextOffset - 1n, inserted])
  const receipt: AppendReceipt = { moves, rejections: inserted }
  return { receipt, added, sourceId, next: nextOffset }
}

/** Intake's side of the journal. Needs no lease: every replica appends. `seen` learns how far partitions are stored. */
export const createIntakeJournal = (pool: Pool, seen?: SeenMarks): IntakeJournal => {
  const known: KnownRoutes = new Map()
  return {
    append: chunk =>
      inTransaction(pool, client => append(client, chunk, known)).pipe(
        // Only what is committed may be remembered.
        map(({ receipt, added, sourceId, next }) => {
          for (const [key, id] of added) known.set(key, id)
          seen?.positions.set(`${sourceId}`, next)
          return receipt
        }),
      ),
    ...createPositions(pool),
  }
}
