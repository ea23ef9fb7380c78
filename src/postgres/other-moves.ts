import type { PoolClient } from 'pg'
import type { OtherMove } from '../domain/claim-rules'

/** Positions of one route's log. */
export interface ClaimRange {
  readonly routeId: number
  readonly fromSeq: bigint
  readonly toSeq: bigint
}

/**
 * Other acceptances of the devices of a range: those unfinished or in flight, and those of the same request. Every
 * row of a device is looked at; a row whose move stands elsewhere (left out to wait, or ended but not for good) has
 * no state. Of this route ($1), $2 to $3 is the range.
 *
 * The materialised steps and the `offset 0` keep the planner from turning the look-ups round: without statistics it
 * went through whole routes for each device, for minutes.
 */
export const otherMovesQuery = `
  with batch as materialized (
    select device_name, accepted, request_id from move where route_id = $1 and seq between $2 and $3
  ), found as materialized (
    select b.request_id as asked, o.*
    from batch b
    cross join lateral (
      select m.route_id, m.seq, m.device_name, m.accepted, m.request_id, m.attempt
      from move m where m.device_name = b.device_name offset 0
    ) o
    where o.accepted <> b.accepted and not (o.route_id = $1 and o.seq between $2 and $3)
  ), others as materialized (
    select f.*,
           case
             when l.reason is not null then
               case l.reason when 'duplicate' then 'duplicate' when 'superseded' then 'finished' end
             when e.final is not null then case when e.final then 'finished' end
             when f.seq <= k.claimed then 'in-flight'
             else 'unfinished'
           end as state
    from found f
    join route_claims k using (route_id)
    left join left_out l on l.route_id = f.route_id and l.seq = f.seq
    left join outcome e on e.route_id = f.route_id and e.seq = f.seq
    union all
    select b.request_id, q.route_id, 0, q.device_name, q.accepted, q.request_id, q.attempt, 'unfinished'
    from batch b
    cross join lateral (
      select w.route_id, w.device_name, w.accepted, w.request_id, w.attempt
      from requeue w where w.device_name = b.device_name offset 0
    ) q
    where q.accepted <> b.accepted
  )
  select o.device_name as "deviceName", o.accepted, o.request_id as "requestId", o.attempt, o.state
  from others o
  where (o.state in ('unfinished', 'in-flight') or (o.state is not null and o.request_id = o.asked))
    and (select product_key from route r where r.route_id = o.route_id)
        = (select product_key from route where route_id = $1)`

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
