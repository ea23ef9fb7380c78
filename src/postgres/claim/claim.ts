/** Claims the next batch: an unfinished one that nobody has in hand, or the next range of the best ready route. */
import type { PoolClient } from 'pg'
import { asyncScheduler } from 'rxjs'
import { type CandidateRoute, createRouteChooser } from '../../domain/claim-rules'
import { restsForMs, withoutResting } from '../../domain/claim-size'
import type { Claim } from '../../ports/journal'
import { loadJob } from '../job/job-row'
import { lockClaims } from '../session/transaction'
import { moveColumns, moveColumnsOf, unfinished } from '../shared-sql'
import { claimRange } from './claim-range'
import { mostReleased, releaseLeft } from './release-waiting'
import { dueMoves, failedStep, releasedMoves, type SmallerClaims, succeededStep } from './smaller-claims'

/** `lookAlikeKey` of the domain as a condition on two rows of `route`, named by their aliases. */
const lookAlike = (a: string, b: string): string => `
  ${a}.product_key = ${b}.product_key and ${a}.source_instance_id = ${b}.source_instance_id
  and ${a}.strategy = ${b}.strategy
  and ${a}.target_instance_ids @> ${b}.target_instance_ids and ${a}.target_instance_ids <@ ${b}.target_instance_ids`

interface Candidate extends CandidateRoute {
  readonly claimed: bigint
  readonly nowMs: number
}

// The lateral limits keep the planner from joining the whole log: it makes two look-ups a route, however many there are.
const selectCandidates = `
  with creating as materialized (
    select b.* from job j join route b using (route_id)
    where ${unfinished('j')}
      and (j.status in ('creating', 'unknown') or j.status = 'claimed' and j.held_at is null)
  )
  select r.route_id as "routeId", r.priority, k.claimed, least(i.appended - k.claimed, 2147483647)::integer as pending,
         (extract(epoch from oldest.appended_at) * 1000)::float8 as "oldestAt",
         (extract(epoch from newest.appended_at) * 1000)::float8 as "newestAt",
         (extract(epoch from statement_timestamp()) * 1000)::float8 as "nowMs"
  from route r
  join route_intake i using (route_id)
  join route_claims k using (route_id)
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = k.claimed + 1 limit 1
  ) oldest
  cross join lateral (
    select m.appended_at from move m where m.route_id = r.route_id and m.seq = i.appended limit 1
  ) newest
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

/** Most moves that are appended again at once. */
const mostAppended = 20_000

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

/** Appends what is due to the logs of its routes, at most so many moves. Needs the claim lock. */
const appendDue = async (client: PoolClient, most: number): Promise<void> => {
  const { rows } = await client.query<{ requeue_id: bigint; route_id: number }>(
    `select requeue_id, route_id from requeue where due_at <= statement_timestamp()
     order by due_at, requeue_id limit $1`,
    [most],
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

const releasesAreLeft = async (client: PoolClient): Promise<boolean> =>
  (await client.query('select from release_due limit 1')).rowCount === 1

/** Time until the first move of the re-queue is due, ms; null: none will be. */
const nextDueInMs = async (client: PoolClient): Promise<number | null> => {
  const { rows } = await client.query<{ ms: number | null }>(
    `select (extract(epoch from min(due_at) - statement_timestamp()) * 1000)::float8 as ms
     from requeue where due_at is not null`,
  )
  return rows[0]?.ms ?? null
}

const soonest = (waits: readonly (number | null)[]): number | null => {
  const known = waits.filter(wait => wait !== null)
  return known.length > 0 ? Math.max(0, Math.ceil(Math.min(...known))) : null
}

/** The claims of one driver. `smaller` is what it remembers of those that ran into a time limit. */
export const createClaims = ({ batchMaxDevices, batchMaxWaitMs }: ClaimOptions) => {
  const smaller: SmallerClaims = new Map()
  const chooseRoute = createRouteChooser()
  const restMs = (key: number): number =>
    smaller.size === 0 ? 0 : restsForMs(smaller, key, asyncScheduler.now())
  const mostOf = (key: number, usual: number): number => Math.min(smaller.get(key)?.most ?? usual, usual)

  /** Takes `moves` of a route or of a part of the re-queue, and learns from the time limits that this runs into. */
  const taking = async <T>(key: number, moves: number, usual: number, take: () => Promise<T>): Promise<T> => {
    const step = { key, moves, usual, since: asyncScheduler.now() }
    try {
      const taken = await take()
      if (smaller.has(key)) succeededStep(smaller, step)
      return taken
    } catch (error) {
      throw failedStep(smaller, step, error)
    }
  }

  /** A part of the re-queue is worked on, unless it rests. */
  const takingDue = async (
    key: number,
    usual: number,
    take: (most: number) => Promise<void>,
  ): Promise<void> => {
    const most = mostOf(key, usual)
    if (restMs(key) === 0) await taking(key, most, usual, () => take(most))
  }

  const idle = async (client: PoolClient, readyInMs: number | null): Promise<Claim> => {
    const dueInMs = await nextDueInMs(client)
    const wakeInMs = soonest([
      readyInMs,
      dueInMs === null ? null : Math.max(dueInMs, restMs(dueMoves)),
      (await releasesAreLeft(client)) ? restMs(releasedMoves) : null,
    ])
    return { kind: 'idle', wakeInMs }
  }

  /** The claim of one transaction: an unfinished batch, or the next batch of the best ready route, or neither. */
  return async (client: PoolClient, inHand: readonly number[]): Promise<Claim> => {
    // The lock comes first: a claim whose answer was lost may still be under way, and its batch is to be found here.
    await lockClaims(client)
    const left = await unfinishedJob(client, inHand)
    if (left !== null) return { kind: 'job', job: await loadJob(client, left) }
    if (await releasesAreLeft(client))
      await takingDue(releasedMoves, mostReleased, most => releaseLeft(client, most))
    for (let ranges = 0; ranges < maxEmptyRanges; ranges += 1) {
      await takingDue(dueMoves, mostAppended, most => appendDue(client, most))
      const candidates = await candidateRoutes(client)
      const { awake, nextInMs } =
        smaller.size === 0
          ? { awake: candidates, nextInMs: null }
          : withoutResting(candidates, smaller, asyncScheduler.now())
      const nowMs = candidates[0]?.nowMs ?? 0
      const choice = chooseRoute(awake, { batchMaxDevices, batchMaxWaitMs, nowMs })
      if (choice.kind === 'none') return idle(client, soonest([choice.readyInMs, nextInMs]))
      const { routeId, claimed, pending } = choice.route
      const moves = Math.min(pending, mostOf(routeId, batchMaxDevices))
      const range = { routeId, fromSeq: claimed + 1n, toSeq: claimed + BigInt(moves) }
      const job = await taking(routeId, moves, batchMaxDevices, async () => {
        const batchId = await claimRange(client, range)
        return batchId === null ? null : loadJob(client, batchId)
      })
      if (job !== null) return { kind: 'job', job }
    }
    return { kind: 'idle', wakeInMs: 0 }
  }
}
