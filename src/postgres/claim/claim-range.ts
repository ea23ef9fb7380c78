/** Claims a range of one route's log: what is sent as a batch, what waits in the re-queue, and what is left out. */
import type { PoolClient } from 'pg'
import {
  applyClaimRules,
  type ClaimDecision,
  type ClaimedMove,
  type OtherMove,
} from '../../domain/claim-rules'
import type { Queries } from '../session/transaction'
import { moveColumns, moveColumnsOf, unfinished } from '../shared-sql'
import { dropTold, findTold, settleTold } from './told-moves'
import { releaseWaiting } from './unfinished-work'

/** Positions of one route's log. */
export interface ClaimRange {
  readonly routeId: number
  readonly fromSeq: bigint
  readonly toSeq: bigint
}

/** What else decides about a range. */
export interface ClaimTerms {
  /** No move waits, since none is sent. */
  readonly toCancel?: boolean
  /** Jobs that a restored database had forgotten may tell of moves of the range. */
  readonly mayBeTold?: boolean
  /** Attempts of a move at most, the first included. Default: 5. */
  readonly maxAttempts?: number
}

/**
 * Other acceptances of the devices of a range: those unfinished or in flight, and those of the same request. Positions $2
 * to $3 of route $1 are the range. Every row of a device is looked at once, however often the range names the device;
 * what became of a row is looked up only where it matters. A row has no state where its move goes on elsewhere: it was
 * left out to wait, or its attempt ended but not for good.
 *
 * The materialised steps and `offset 0` keep the planner from turning the look-ups round: without statistics it went
 * through whole routes for each device, which took minutes. The `in` is one hash table, whatever joins are allowed.
 */
const otherMovesQuery = `
  with batch as materialized (
    select device_name, request_id from move where route_id = $1 and seq between $2 and $3
  ), names as materialized (
    select distinct device_name from batch
  ), unsettled as materialized (
    select j.route_id, j.from_seq, j.to_seq from job j where ${unfinished('j')}
  ), found as materialized (
    select o.*, o.seq > k.claimed as is_pending,
           (o.device_name, o.request_id) in (select b.device_name, b.request_id from batch b) as is_asked
    from names n
    cross join lateral (
      select m.route_id, m.seq, m.device_name, m.accepted, m.request_id, m.attempt
      from move m where m.device_name = n.device_name offset 0
    ) o
    join route_claims k using (route_id)
    where not (o.route_id = $1 and o.seq between $2 and $3)
  ), relevant as materialized (
    select * from found f
    where f.is_pending or f.is_asked
       or exists (select from unsettled u
                  where u.route_id = f.route_id and f.seq between u.from_seq and u.to_seq offset 0)
  ), others as materialized (
    select f.route_id, f.device_name, f.accepted, f.request_id, f.attempt, f.is_asked, null::bigint as waits_for,
           case
             when l.reason is not null then
               case l.reason when 'duplicate' then 'duplicate' when 'superseded' then 'finished' end
             when e.final is not null then case when e.final then 'finished' end
             when f.is_pending then 'unfinished'
             else 'in-flight'
           end as state
    from relevant f
    left join left_out l on l.route_id = f.route_id and l.seq = f.seq
    left join outcome e on e.route_id = f.route_id and e.seq = f.seq
    union all
    select q.route_id, q.device_name, q.accepted, q.request_id, q.attempt, false,
           case when q.route_id = $1 then q.waits_for end, 'unfinished'
    from names n
    cross join lateral (
      select w.route_id, w.device_name, w.accepted, w.request_id, w.attempt, w.waits_for
      from requeue w where w.device_name = n.device_name offset 0
    ) q
  )
  select o.device_name as "deviceName", o.accepted as "acceptedOrder", o.request_id as "requestId", o.attempt, o.state,
         o.waits_for as "waitsFor"
  from others o
  where (o.state in ('unfinished', 'in-flight') or (o.state is not null and o.is_asked))
    and (select product_key from route r where r.route_id = o.route_id)
        = (select product_key from route where route_id = $1)`

/** 10,000 look-ups by index take a few dozen ms. The planner may prefer a join over the whole log, which takes seconds. */
const planner = (value: 'on' | 'off'): string =>
  ['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan']
    .map(name => `set local ${name} = ${value}`)
    .join('; ')

const forceIndexes = planner('off')
const plannersChoice = planner('on')

const otherMoves = async (client: Queries, range: ClaimRange): Promise<OtherMove[]> => {
  await client.query(forceIndexes)
  const { rows } = await client.query<OtherMove>(otherMovesQuery, [range.routeId, range.fromSeq, range.toSeq])
  await client.query(plannersChoice)
  return rows
}

const unwaiting = (decision: ClaimDecision): ClaimDecision =>
  decision.kind === 'wait' ? { kind: 'send' } : decision

/** How many moves of a range are no repeats. */
export const countUnrepeated = async (client: Queries, range: ClaimRange): Promise<number> => {
  const decisions = applyClaimRules(await movesOfRange(client, range), await otherMoves(client, range))
  return decisions.filter(({ kind }) => kind !== 'duplicate').length
}

interface RangeMove extends ClaimedMove {
  readonly seq: bigint
}

interface Decided<K extends ClaimDecision['kind']> {
  readonly move: RangeMove
  readonly decision: Extract<ClaimDecision, { readonly kind: K }>
}

const movesOfRange = async (client: Queries, range: ClaimRange): Promise<RangeMove[]> => {
  const { rows } = await client.query<RangeMove>(
    `select seq, accepted as "acceptedOrder", device_name as "deviceName", request_id as "requestId", attempt
     from move where route_id = $1 and seq between $2 and $3 order by seq`,
    [range.routeId, range.fromSeq, range.toSeq],
  )
  return rows
}

/** Positions of a range that must wait, in order, each with the acceptance it waits for. */
interface WaitingMoves {
  readonly routeId: number
  readonly seqs: readonly bigint[]
  readonly waitsFor: readonly bigint[]
}

// The range is given because by the positions alone the planner may go through the whole log of the route.
const insertWaiting = `
  with waiting as (
    insert into left_out (route_id, seq, reason) select $1, seq, 'waiting' from unnest($2::bigint[]) as t (seq)
  )
  insert into requeue (route_id, attempt, waits_for, ${moveColumns})
  select m.route_id, m.attempt, t.waits_for, ${moveColumnsOf('m')}
  from unnest($2::bigint[], $3::bigint[]) as t (seq, waits_for)
  join move m on m.route_id = $1 and m.seq between $4 and $5 and m.seq = t.seq`

/** Takes claimed positions out of their range and puts their moves back into the re-queue, attempt unchanged. */
export const setWaiting = async (
  client: PoolClient,
  { routeId, seqs, waitsFor }: WaitingMoves,
): Promise<void> => {
  if (seqs.length > 0) await client.query(insertWaiting, [routeId, seqs, waitsFor, seqs[0], seqs.at(-1)])
}

const leaveOutDuplicates = async (
  client: PoolClient,
  routeId: number,
  moves: readonly RangeMove[],
): Promise<void> => {
  if (moves.length === 0) return
  await client.query(
    `insert into left_out (route_id, seq, reason) select $1, seq, 'duplicate' from unnest($2::bigint[]) as t (seq)`,
    [routeId, moves.map(move => move.seq)],
  )
  await releaseWaiting(
    client,
    moves.map(move => move.acceptedOrder),
  )
}

const insertJob = async (
  client: PoolClient,
  range: ClaimRange,
  moves: readonly RangeMove[],
): Promise<number> => {
  const devices = new Set(moves.map(move => move.deviceName)).size
  const { rows } = await client.query<{ batchId: number }>(
    `insert into job (route_id, from_seq, to_seq, moves, devices) values ($1, $2, $3, $4, $5)
     returning job_id::float8 as "batchId"`,
    [range.routeId, range.fromSeq, range.toSeq, moves.length, devices],
  )
  const [row] = rows
  if (row === undefined) throw new Error('no job was stored')
  return row.batchId
}

/**
 * Claims a range under the claim rules: leaves out repeats and moves that must wait, and binds the rest to a new job.
 * Gives the batch's number, or null when nothing of the range is to be sent. Needs the claim lock.
 *
 * If a forgotten job tells of some of its moves, these are settled, and the others are given back to be claimed again.
 */
export const claimRange = async (
  client: PoolClient,
  range: ClaimRange,
  { toCancel = false, mayBeTold = false, maxAttempts = 5 }: ClaimTerms = {},
): Promise<number | null> => {
  const moves = await movesOfRange(client, range)
  const decided = applyClaimRules(moves, await otherMoves(client, range))
  const decisions = toCancel ? decided.map(unwaiting) : decided
  const all = <K extends ClaimDecision['kind']>(kind: K): Decided<K>[] =>
    moves.flatMap((move, index) => {
      const decision = decisions[index]
      return decision?.kind === kind ? [{ move, decision } as Decided<K>] : []
    })
  const duplicates = all('duplicate').map(({ move }) => move)
  const waiting = all('wait')
  await setWaiting(client, {
    routeId: range.routeId,
    seqs: waiting.map(({ move }) => move.seq),
    waitsFor: waiting.map(({ decision }) => decision.waitsFor),
  })
  await leaveOutDuplicates(client, range.routeId, duplicates)
  await client.query(
    `update route_claims
     set claimed = $2, claimed_again = claimed_again + $3, duplicates = duplicates + $4 where route_id = $1`,
    [range.routeId, range.toSeq, moves.filter(move => move.attempt > 1).length, duplicates.length],
  )
  const sent = all('send').map(({ move }) => move)
  if (sent.length === 0) return null
  if (!mayBeTold) return insertJob(client, range, sent)
  const told = await findTold(
    client,
    range,
    sent.map(({ seq }) => seq),
  )
  if (told.length === 0) {
    await dropTold(
      client,
      range.routeId,
      sent.map(({ deviceName }) => deviceName),
    )
    return insertJob(client, range, sent)
  }
  const isTold = new Set(told.map(({ move }) => move.seq))
  const [ours, untold] = [
    sent.filter(move => isTold.has(move.seq)),
    sent.filter(move => !isTold.has(move.seq)),
  ]
  const batchId = await insertJob(client, range, ours)
  await settleTold(client, batchId, { told, untold: untold.map(({ seq }) => seq), maxAttempts })
  return null
}
