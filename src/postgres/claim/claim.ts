/** Claims the next batch: an unfinished one that nobody has in hand, or the next range of the best ready route. */
import type { PoolClient } from 'pg'
import { type CandidateRoute, chooseRoute } from '../../domain/claim-rules'
import type { Claim } from '../../ports/journal'
import { loadJob } from '../job/job-row'
import { lockClaims } from '../session/transaction'
import { moveColumns, moveColumnsOf, unfinished } from '../shared-sql'
import { claimRange } from './claim-range'

/** `lookAlikeKey` of the domain as a condition on two rows of `route`, named by their aliases. */
const lookAlike = (a: string, b: string): string => `
  ${a}.product_key = ${b}.product_key and ${a}.source_instance_id = ${b}.source_instance_id
  and ${a}.strategy = ${b}.strategy
  and ${a}.target_instance_ids @> ${b}.target_instance_ids and ${a}.target_instance_ids <@ ${b}.target_instance_ids`

interface Candidate extends CandidateRoute {
  readonly claimed: bigint
  readonly nowMs: number
}

// The lateral limit keeps the planner from joining the whole log: it makes one look-up a route, however many there are.
const selectCandidates = `
  with creating as materialized (
    select b.* from job j join route b using (route_id)
    where ${unfinished('j')}
      and (j.status in ('creating', 'unknown') or j.status = 'claimed' and j.held_at is null)
  )
  select r.route_id as "routeId", r.priority, k.claimed, least(i.appended - k.claimed, 2147483647)::integer as pending,
         (extract(epoch from oldest.appended_at) * 1000)::float8 as "oldestAt",
         (extract(epoch from statement_timestamp()) * 1000)::float8 as "nowMs"
  from route r
  join route_intake i using (route_id)
  join route_claims k using (route_id)
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = k.claimed + 1 limit 1
  ) oldest
  where i.appended > k.claimed and r.held_at is null
    and not exists (select from creating b where ${lookAlike('b', 'r')})`

/** Routes with moves to claim that are not held. Neither they nor a look-alike have a create that is yet to be answered. */
const candidateRoutes = async (client: PoolClient): Promise<readonly Candidate[]> =>
  (await client.query<Candidate>(selectCandidates)).rows

export interface ClaimOptions {
  /** Most moves of a batch. */
  readonly batchMaxDevices: number
  /** How long the oldest move of a route waits for a fuller batch. */
  readonly batchMaxWaitMs: number
}

/** After this many ranges in a row that had nothing to send the transaction ends, so that it stays short. */
const maxEmptyRanges = 32

/**
 * The next unfinished batch that is neither held nor in hand ($1).
 *
 * Of routes that look alike in the provider's List, one create is under way at a time: of two without an answer, one
 * could be taken for the other's job. So only the first of their batches that are yet to be created is offered, and none
 * while one of them is in hand. A held batch that was certainly not created stops no other.
 *
 * Jobs that may be open at the provider come first: a new driver has to count them before it creates anything.
 *
 * A batch whose adopted job was another's may become unknown again while a later create is without an answer. The later
 * one is looked for first, so that the earlier one never takes its job.
 */
const selectUnfinished = `
  select j.job_id::float8 as "batchId" from job j join route r using (route_id)
  where ${unfinished('j')} and j.status <> 'looking-up' and j.held_at is null and j.job_id <> all ($1::bigint[])
    and not (j.status = 'claimed' and exists (
      select from job b join route br on br.route_id = b.route_id
      where ${unfinished('b')}
        and (b.status in ('creating', 'unknown') or b.status = 'claimed' and b.held_at is null
             and (b.job_id < j.job_id or b.job_id = any ($1::bigint[])))
        and ${lookAlike('br', 'r')}))
    and not (j.status = 'unknown' and exists (
      select from job b join route br on br.route_id = b.route_id
      where ${unfinished('b')} and b.job_id > j.job_id
        and (b.status in ('creating', 'unknown') or b.status = 'claimed' and b.job_id = any ($1::bigint[]))
        and ${lookAlike('br', 'r')}))
  order by j.status = 'claimed', j.job_id limit 1`

const unfinishedJob = async (client: PoolClient, inHand: readonly number[]): Promise<number | null> => {
  const { rows } = await client.query<{ batchId: number }>(selectUnfinished, [inHand])
  return rows[0]?.batchId ?? null
}

/** Most moves that are appended again in one transaction. */
const maxMoves = 20_000

// `again` counts further attempts only: a move that had to wait may still be in its first.
const advanceLogs = `
  update route_intake i set appended = i.appended + d.moves, appended_again = i.appended_again + d.again
  from (select route_id, count(*) as moves, count(*) filter (where attempt > 1) as again
        from requeue where requeue_id = any($1::bigint[]) group by route_id) d
  where i.route_id = d.route_id`

// The routes' rows are locked, so `appended` stands still until `advanceLogs`.
const appendAgain = `
  insert into move (route_id, seq, attempt, appended_at, ${moveColumns})
  select q.route_id, i.appended + row_number() over (partition by q.route_id order by q.due_at, q.requeue_id), q.attempt,
         statement_timestamp(), ${moveColumnsOf('q')}
  from requeue q join route_intake i using (route_id)
  where q.requeue_id = any($1::bigint[])`

/** Appends what is due to the logs of its routes, at most 20,000 moves. Needs the claim lock. */
const appendDue = async (client: PoolClient): Promise<void> => {
  const { rows } = await client.query<{ requeue_id: bigint; route_id: number }>(
    `select requeue_id, route_id from requeue where due_at <= statement_timestamp()
     order by due_at, requeue_id limit ${maxMoves}`,
  )
  if (rows.length === 0) return
  const due = [rows.map(row => row.requeue_id)]
  await client.query(
    'select from route_intake where route_id = any($1::integer[]) order by route_id for update',
    [[...new Set(rows.map(row => row.route_id))]],
  )
  await client.query(appendAgain, due)
  await client.query(advanceLogs, due)
  await client.query('delete from requeue where requeue_id = any($1::bigint[])', due)
}

const nextDueInMs = async (client: PoolClient): Promise<number | null> => {
  const { rows } = await client.query<{ ms: number | null }>(
    `select (extract(epoch from min(due_at) - statement_timestamp()) * 1000)::float8 as ms
     from requeue where due_at is not null`,
  )
  return rows[0]?.ms ?? null
}

const idle = async (client: PoolClient, readyInMs: number | null): Promise<Claim> => {
  const waits = [readyInMs, await nextDueInMs(client)].filter(wait => wait !== null)
  return { kind: 'idle', wakeInMs: waits.length > 0 ? Math.max(0, Math.ceil(Math.min(...waits))) : null }
}

/** The claim of one transaction: an unfinished batch, or the next batch of the best ready route, or neither. */
export const claim = async (
  client: PoolClient,
  inHand: readonly number[],
  { batchMaxDevices, batchMaxWaitMs }: ClaimOptions,
): Promise<Claim> => {
  // The lock comes first: a claim whose answer was lost may still be under way, and its batch is to be found here.
  await lockClaims(client)
  const left = await unfinishedJob(client, inHand)
  if (left !== null) return { kind: 'job', job: await loadJob(client, left) }
  for (let ranges = 0; ranges < maxEmptyRanges; ranges += 1) {
    await appendDue(client)
    const candidates = await candidateRoutes(client)
    const nowMs = candidates[0]?.nowMs ?? 0
    const choice = chooseRoute(candidates, { batchMaxDevices, batchMaxWaitMs, nowMs })
    if (choice.kind === 'none') return idle(client, choice.readyInMs)
    const { routeId, claimed, pending } = choice.route
    const toSeq = claimed + BigInt(Math.min(pending, batchMaxDevices))
    const batchId = await claimRange(client, { routeId, fromSeq: claimed + 1n, toSeq })
    if (batchId !== null) return { kind: 'job', job: await loadJob(client, batchId) }
  }
  return { kind: 'idle', wakeInMs: 0 }
}
