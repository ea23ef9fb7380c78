import type { PoolClient } from 'pg'
import type { Rejection } from '../../domain/request'

/** Dead letters of one statement together: a bytea travels as text, twice its size. */
const maxBytesPerStatement = 16_000_000

// `on conflict` without a target: neither the same place nor a repeat of the same request is stored again. Nor is a
// bad repeat of a request that was accepted: its move has, or will have, the one final outcome.
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

/** Stores rejections; returns how many were new. */
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
