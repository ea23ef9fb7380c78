/** Claims the next batch: an unfinished one that nobody has in hand, or the next range of the best ready route. */
import type { PoolClient } from 'pg'
import { type CandidateRoute, chooseRoute } from '../../domain/claim-rules'
import type { Claim } from '../../ports/journal'
import { loadJob } from '../job/job-row'
import { noteTry } from '../job/route-hold'
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
  /** It is held as refused, and is to be tried now. */
  readonly isTry: boolean
  /** A look-alike is being created: for a moment, or for an unknown time. null: none is. */
  readonly waitsBriefly: boolean | null
}

/**
 * Batches because of which no look-alike may be created. A piece of a search is one only while it is in hand ($1): the
 * others wait for what the fresh batches leave over.
 */
const creating = `
  creating as materialized (
    select b.*, j.held_at is null and (j.status = 'creating' or j.status = 'claimed' and j.refusals = j.inherited_refusals)
             as is_brief
    from job j join route b using (route_id)
    where ${unfinished('j')}
      and (j.status in ('creating', 'unknown')
           or j.status = 'claimed' and j.held_at is null and (j.search is null or j.job_id = any ($1::bigint[])))
  )`

// The lateral limit keeps the planner from joining the whole log: it makes one look-up a route, however many there are.
const selectCandidates = `
  with ${creating}
  select r.route_id as "routeId", r.priority, k.claimed, least(i.appended - k.claimed, 2147483647)::integer as pending,
         (extract(epoch from oldest.appended_at) * 1000)::float8 as "oldestAt",
         (extract(epoch from statement_timestamp()) * 1000)::float8 as "nowMs", r.held_at is not null as "isTry",
         (select bool_and(b.is_brief) from creating b where ${lookAlike('b', 'r')}) as "waitsBriefly"
  from route r
  join route_intake i using (route_id)
  join route_claims k using (route_id)
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = k.claimed + 1 limit 1
  ) oldest
  where i.appended > k.claimed
    and (r.held_at is null or r.held_kind = 'refused' and r.retry_at <= statement_timestamp())`

/** Routes with moves to claim that are not held, or are to be tried. Some wait for the create of a look-alike. */
const candidateRoutes = async (
  client: PoolClient,
  inHand: readonly number[],
): Promise<readonly Candidate[]> => (await client.query<Candidate>(selectCandidates, [inHand])).rows

export interface ClaimOptions {
  /** Most moves of a batch. */
  readonly batchMaxDevices: number
  /** How long the oldest move of a route waits for a fuller batch. */
  readonly batchMaxWaitMs: number
}

/** After this many ranges in a row that had nothing to send the transaction ends, so that it stays short. */
const maxEmptyRanges = 32

/**
 * The next unfinished batch that is neither held nor in hand ($1), nor an unsent piece of a search. A batch that waits
 * with its refused route counts as held until it is to be tried.
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
  select j.job_id::float8 as "batchId", j.route_id as "routeId", j.held_at is not null as "isTry"
  from job j join route r using (route_id)
  where ${unfinished('j')} and j.job_id <> all ($1::bigint[])
    and (j.held_at is null and (j.search is null or j.status <> 'claimed')
         or j.held_with_route and r.held_kind = 'refused' and r.retry_at <= statement_timestamp())
    and not (j.status = 'claimed' and exists (
      select from job b join route br on br.route_id = b.route_id
      where ${unfinished('b')}
        and (b.status in ('creating', 'unknown') or b.status = 'claimed' and b.held_at is null
             and (b.search is null and b.job_id < j.job_id or b.job_id = any ($1::bigint[])))
        and ${lookAlike('br', 'r')}))
    and not (j.status = 'unknown' and exists (
      select from job b join route br on br.route_id = b.route_id
      where ${unfinished('b')} and b.job_id > j.job_id
        and (b.status in ('creating', 'unknown') or b.status = 'claimed' and b.job_id = any ($1::bigint[]))
        and ${lookAlike('br', 'r')}))
  order by j.status = 'claimed', j.job_id limit 1`

interface Unfinished {
  readonly batchId: number
  readonly routeId: number
  /** It waits with its refused route, and is to be tried now. */
  readonly isTry: boolean
}

const unfinishedJob = async (client: PoolClient, inHand: readonly number[]): Promise<number | null> => {
  const [found] = (await client.query<Unfinished>(selectUnfinished, [inHand])).rows
  if (found?.isTry) await noteTry(client, found.routeId, found.batchId)
  return found?.batchId ?? null
}

// A piece follows the claim rules of fresh work: one create of look-alikes at a time, and none of a held route. Only the
// batch that a refused route is tried with is not held itself.
const selectPiece = `
  with ${creating}
  select j.job_id::float8 as "batchId" from job j join route r using (route_id)
  where ${unfinished('j')} and j.status = 'claimed' and j.search is not null and j.held_at is null
    and (r.held_at is null or r.held_kind = 'refused')
    and j.job_id <> all ($1::bigint[]) and not exists (select from creating b where ${lookAlike('b', 'r')})
  order by j.search = 'drawn' desc, j.search = 'piece' desc, j.job_id limit 1`

/** The next piece of a search that may be created now. */
const nextPiece = async (client: PoolClient, inHand: readonly number[]): Promise<number | null> =>
  (await client.query<Pick<Unfinished, 'batchId'>>(selectPiece, [inHand])).rows[0]?.batchId ?? null

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

export interface RequeuedRow {
  readonly requeue_id: bigint
  readonly route_id: number
}

/** Appends what is due to the logs of its routes, at most 20,000 moves. Needs the claim lock. */
const appendDue = async (client: PoolClient): Promise<void> => {
  const { rows } = await client.query<RequeuedRow>(
    `select requeue_id, route_id from requeue where due_at <= statement_timestamp()
     order by due_at, requeue_id limit ${maxMoves}`,
  )
  await appendRequeued(client, rows)
}

/** Appends re-queued moves to the logs of their routes. Needs the claim lock. */
export const appendRequeued = async (client: PoolClient, rows: readonly RequeuedRow[]): Promise<void> => {
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
    `select (extract(epoch from least(
       (select min(due_at) from requeue where due_at is not null),
       (select min(retry_at) from route where retry_at > statement_timestamp())) - statement_timestamp()) * 1000)::float8 as ms`,
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
  mayTakePiece: boolean,
  { batchMaxDevices, batchMaxWaitMs }: ClaimOptions,
): Promise<Claim> => {
  // The lock comes first: a claim whose answer was lost may still be under way, and its batch is to be found here.
  await lockClaims(client)
  const left = await unfinishedJob(client, inHand)
  const first = left ?? (mayTakePiece ? await nextPiece(client, inHand) : null)
  if (first !== null) return { kind: 'job', job: await loadJob(client, first) }
  for (let ranges = 0; ranges < maxEmptyRanges; ranges += 1) {
    await appendDue(client)
    const candidates = await candidateRoutes(client, inHand)
    const readiness = { batchMaxDevices, batchMaxWaitMs, nowMs: candidates[0]?.nowMs ?? 0 }
    const choice = chooseRoute(
      candidates.filter(({ waitsBriefly }) => waitsBriefly === null),
      readiness,
    )
    if (choice.kind === 'none') {
      const others = candidates.filter(({ waitsBriefly }) => waitsBriefly !== false)
      const isOtherReady = chooseRoute(others, readiness).kind === 'ready'
      const piece = isOtherReady ? null : await nextPiece(client, inHand)
      return piece === null
        ? idle(client, choice.readyInMs)
        : { kind: 'job', job: await loadJob(client, piece) }
    }
    const { routeId, claimed, pending, isTry } = choice.route
    if (isTry) await noteTry(client, routeId, null)
    const toSeq = claimed + BigInt(Math.min(pending, batchMaxDevices))
    const batchId = await claimRange(client, { routeId, fromSeq: claimed + 1n, toSeq })
    if (batchId !== null) return { kind: 'job', job: await loadJob(client, batchId) }
  }
  return { kind: 'idle', wakeInMs: 0 }
}
