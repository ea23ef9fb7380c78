import type { PoolClient } from 'pg'
import type { OtherMove } from '../domain/claim-rules'
import type { ClaimRange } from './claim-range'

/**
 * Other acceptances of the devices of a range: those unfinished or in flight, and those of the same request. Every
 * row of a device is looked at through the hash index; a row whose move stands elsewhere (left out to wait, or ended
 * but not for good) has no state. Of this route, $2 to $3 is the range.
 */
export const otherMovesQuery = `
  with batch as materialized (
    select device_name, accepted, request_id from move where route_id = $1 and seq between $2 and $3
  ), others as (
    select b.request_id as asked, o.device_name, o.accepted, o.request_id, o.attempt,
           case
             when l.reason is not null then
               case l.reason when 'duplicate' then 'duplicate' when 'superseded' then 'finished' end
             when e.final is not null then case when e.final then 'finished' end
             when o.seq <= k.claimed then 'in-flight'
             else 'unfinished'
           end as state
    from batch b
    join move o on o.device_name = b.device_name and o.accepted <> b.accepted
               and not (o.route_id = $1 and o.seq between $2 and $3)
    join route r on r.route_id = o.route_id and r.product_key = (select product_key from route where route_id = $1)
    join route_claims k on k.route_id = o.route_id
    left join left_out l on l.route_id = o.route_id and l.seq = o.seq
    left join outcome e on e.route_id = o.route_id and e.seq = o.seq
    union all
    select b.request_id, q.device_name, q.accepted, q.request_id, q.attempt, 'unfinished'
    from batch b
    join requeue q on q.device_name = b.device_name and q.accepted <> b.accepted
    join route r on r.route_id = q.route_id and r.product_key = (select product_key from route where route_id = $1)
  )
  select device_name as "deviceName", accepted, request_id as "requestId", attempt, state
  from others
  where state in ('unfinished', 'in-flight') or (state is not null and request_id = asked)`

/** 10,000 look-ups by index take a few dozen ms; a join over the whole log, which the planner may prefer, seconds. */
const planner = (value: 'on' | 'off'): string =>
  ['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan']
    .map(name => `set local ${name} = ${value}`)
    .join('; ')

export const forceIndexes = planner('off')
export const plannersChoice = planner('on')

export const otherMoves = async (client: PoolClient, range: ClaimRange): Promise<OtherMove[]> => {
  await client.query(forceIndexes)
  const { rows } = await client.query<OtherMove>(otherMovesQuery, [range.routeId, range.fromSeq, range.toSeq])
  await client.query(plannersChoice)
  return rows
}
