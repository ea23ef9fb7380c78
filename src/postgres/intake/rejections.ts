/** Rejections in the journal: each is stored once, and a move that repeats one is found. */
import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import type { Rejection } from '../../domain/request'

/** Most bytes of dead letters in one statement. A bytea travels as text of twice its size. */
const maxBytesPerStatement = 16_000_000

interface Column {
  readonly name: string
  /** Type of the parameter's elements. */
  readonly type: string
  /** From the parameter to the column; left out: as it is. */
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
export const insertRejections = async (
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

/** A move that is about to be appended. */
interface NewMove {
  readonly requestId: string
  readonly productKey: string
  readonly deviceName: string
}

/** The key that the index `rejection_repeat` holds of a rejection with a device. */
const repeatKey = ({ requestId, productKey, deviceName }: NewMove): string =>
  createHash('md5').update(`${requestId}\u001f${productKey}\u001f${deviceName}`).digest('hex')

const indexed = `md5(request_id || chr(31) || coalesce(product_key, '') || chr(31) ||
  coalesce(device_name, chr(30) || content, chr(30) || source_id || '/' || source_offset || '/' || ordinal))`

const selectRejected = `select ${indexed} as key from rejection where ${indexed} = any($1::text[])`

/** The places in the list of moves whose request and device were rejected before: each repeats its rejection. */
export const rejectedBefore = async (
  client: PoolClient,
  moves: readonly NewMove[],
): Promise<ReadonlySet<number>> => {
  const { rowCount } = await client.query('select from rejection limit 1')
  if (rowCount === 0) return new Set()
  const keys = moves.map(repeatKey)
  // Without statistics the planner would go through the whole table, which takes several times as long.
  await client.query('set local enable_seqscan = off')
  const { rows } = await client.query<{ key: string }>(selectRejected, [`{${keys.join(',')}}`])
  await client.query('set local enable_seqscan = on')
  const rejected = new Set(rows.map(({ key }) => key))
  return new Set(keys.flatMap((key, index) => (rejected.has(key) ? [index] : [])))
}
