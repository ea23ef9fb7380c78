/**
 * Work that was begun before and goes before or after fresh work: batches that were left unfinished, pieces of searches,
 * and what leaves the re-queue. Moves that are due are appended to the logs of their routes again, and moves that waited
 * for one that has ended become due.
 *
 * However many moves wait, a transaction releases a part of them only. It notes for whom it has left some, and the next
 * claims release these. A move that waits is released by the transaction in which the other ended, or the other stands in
 * `release_due`. All of this needs the claim lock, under which moves begin to wait: so none is missed.
 */
import type { PoolClient } from 'pg'
import { noteTry } from '../job/route-hold'
import { moveColumns, moveColumnsOf, unfinished } from '../shared-sql'

/** `lookAlikeKey` of the domain as a condition on two rows of `route`, named by their aliases. */
export const lookAlike = (a: string, b: string): string => `
  ${a}.product_key = ${b}.product_key and ${a}.source_instance_id = ${b}.source_instance_id
  and ${a}.strategy = ${b}.strategy
  and ${a}.target_instance_ids @> ${b}.target_instance_ids and ${a}.target_instance_ids <@ ${b}.target_instance_ids`

/**
 * Batches because of which no look-alike may be created, as a step of a query with the batches in hand as $1. A piece of a
 * search is one only while it is in hand: the others wait for what fresh batches leave over.
 */
export const creating = `
  creating as materialized (
    select b.*, j.held_at is null and (j.status = 'creating' or j.status = 'claimed' and j.refusals = j.inherited_refusals)
             as is_brief
    from job j join route b using (route_id)
    where ${unfinished('j')}
      and (j.status in ('creating', 'unknown')
           or j.status = 'claimed' and j.held_at is null and (j.search is null or j.job_id = any ($1::bigint[])))
  )`

/**
 * The next unfinished batch that is neither held nor in hand ($1), nor an unsent piece of a search, and whose devices are
 * not being looked up. A batch that waits
 * with its refused route counts as held until it is to be tried. With $2 it is none that is yet to be created.
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
  where ${unfinished('j')} and j.status <> 'looking-up' and j.job_id <> all ($1::bigint[])
    and (j.held_at is null and (j.search is null or j.status <> 'claimed')
         or j.held_with_route and r.held_kind = 'refused' and r.retry_at <= statement_timestamp())
    and not (j.status = 'claimed' and $2)
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

export const unfinishedJob = async (
  client: PoolClient,
  inHand: readonly number[],
  isNothingSent: boolean,
): Promise<number | null> => {
  const [found] = (await client.query<Unfinished>(selectUnfinished, [inHand, isNothingSent])).rows
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
export const nextPiece = async (client: PoolClient, inHand: readonly number[]): Promise<number | null> =>
  (await client.query<Pick<Unfinished, 'batchId'>>(selectPiece, [inHand])).rows[0]?.batchId ?? null

/** Most moves that one transaction releases. */
export const mostReleased = 20_000

// In the order of acceptance, so that of each device the moves that are to be sent first are released first.
const releaseSlice = `
  with slice as materialized (
    select w.requeue_id from unnest($1::bigint[]) as ended (accepted)
    cross join lateral (
      select q.requeue_id from requeue q where q.waits_for = ended.accepted order by q.accepted limit $2
    ) w
    limit $2
  )
  update requeue q set due_at = now(), waits_for = null from slice where q.requeue_id = slice.requeue_id`

const storeRest = `
  insert into release_due (accepted)
  select ended.accepted from unnest($1::bigint[]) as ended (accepted)
  where exists (select from requeue q where q.waits_for = ended.accepted offset 0)
  on conflict do nothing`

/** Makes the moves due now that waited for one of these acceptances, the rest of them soon. Needs the claim lock. */
export const releaseWaiting = async (client: PoolClient, accepted: readonly bigint[]): Promise<void> => {
  if (accepted.length === 0) return
  const { rowCount } = await client.query(releaseSlice, [accepted, mostReleased])
  if ((rowCount ?? 0) >= mostReleased) await client.query(storeRest, [accepted])
}

const selectDue = 'select accepted from release_due order by accepted limit $1'

const deleteDone = `
  delete from release_due r using unnest($1::bigint[]) as ended (accepted)
  where r.accepted = ended.accepted
    and not exists (select from requeue q where q.waits_for = ended.accepted offset 0)`

/** Releases at most so many of those that were left. Needs the claim lock. */
export const releaseLeft = async (client: PoolClient, most: number): Promise<void> => {
  const { rows } = await client.query<{ accepted: bigint }>(selectDue, [most])
  const ended = rows.map(row => row.accepted)
  await client.query(releaseSlice, [ended, most])
  await client.query(deleteDone, [ended])
}

/** Most moves that are appended again at once. */
export const mostAppended = 20_000

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

/** Appends what is due to the logs of its routes, at most so many moves. Needs the claim lock. */
export const appendDue = async (client: PoolClient, most: number): Promise<void> => {
  const { rows } = await client.query<RequeuedRow>(
    `select requeue_id, route_id from requeue where due_at <= statement_timestamp()
     order by due_at, requeue_id limit $1`,
    [most],
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

export const releasesAreLeft = async (client: PoolClient): Promise<boolean> =>
  (await client.query('select from release_due limit 1')).rowCount === 1

/** Time until the first move of the re-queue is due, ms; null: none will be. */
export const nextDueInMs = async (client: PoolClient): Promise<number | null> => {
  const { rows } = await client.query<{ ms: number | null }>(
    `select (extract(epoch from min(due_at) - statement_timestamp()) * 1000)::float8 as ms
     from requeue where due_at is not null`,
  )
  return rows[0]?.ms ?? null
}
