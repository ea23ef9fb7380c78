/** Rejections in the journal: each is stored once, and a move that repeats one is found. */
import { createHash } from 'node:crypto'
import type { PoolClient } from 'pg'
import type { Rejection } from '../../domain/request'

/** Most bytes of dead letters in one statement. A bytea travels as text of twice its size. */
const maxBytesPerStatement = 16_000_000

// `on conflict` has no target, so neither the same place nor a repeat of the same request is stored again. A bad repeat of
// an accepted request is not stored either: its move has, or will have, the one final outcome.
const insert = `
  insert into rejection (source_id, source_offset, ordinal, rejected_at, requested_at, request_id, product_key,
                         device_name, source_instance_id, target_instance_ids, strategy, code, message, traceparent,
                         dead_letter, original_size, recorded_at, content_type, outcome_id, content)
  select $1, source_offset, ordinal, now(), to_timestamp(requested_at / 1000.0), request_id, product_key, device_name,
         source_instance_id, case when target_instance_ids is not null then
           array(select jsonb_array_elements_text(target_instance_ids)) end,
         strategy, code, message, traceparent, dead_letter, original_size,
         to_timestamp(recorded_at / 1000.0), content_type, outcome_id,
         case when device_name is null then md5(dead_letter) || '/' || ordinal end
  from unnest($2::bigint[], $3::integer[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[],
              $10::smallint[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::integer[],
              $16::float8[], $17::text[], $18::text[])
    as t (source_offset, ordinal, requested_at, request_id, product_key, device_name, source_instance_id,
          target_instance_ids, strategy, code, message, traceparent, dead_letter, original_size, recorded_at,
          content_type, outcome_id)
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
    const { rowCount } = await client.query(insert, [
      sourceId,
      part.map(rejection => rejection.position.offset),
      part.map(rejection => rejection.ordinal),
      part.map(rejection => rejection.requestedAt.getTime()),
      part.map(rejection => rejection.requestId),
      part.map(rejection => rejection.productKey),
      part.map(rejection => rejection.deviceName),
      part.map(rejection => rejection.sourceInstanceId),
      part.map(rejection => rejection.targetInstanceIds && JSON.stringify(rejection.targetInstanceIds)),
      part.map(rejection => rejection.strategy),
      part.map(rejection => rejection.code),
      part.map(rejection => rejection.message),
      part.map(rejection => rejection.traceparent),
      part.map(rejection => Buffer.from(rejection.deadLetter)),
      part.map(rejection => rejection.originalSize),
      part.map(rejection => rejection.recordedAt.getTime()),
      part.map(rejection => rejection.contentType),
      part.map(rejection => rejection.id),
    ])
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
