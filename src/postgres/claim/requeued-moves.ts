/**
 * What leaves the re-queue: moves that are due are appended to the logs of their routes again, and moves that waited for
 * one that has ended now become due. However many wait, a transaction releases a part of them
 * only. It notes for whom it has left some, and the next claims release these.
 *
 * A move that waits is released by the transaction in which the other ended, or the other stands in `release_due`. All of
 * this needs the claim lock, under which moves begin to wait: so none is missed.
 */
import type { PoolClient } from 'pg'
import { moveColumns, moveColumnsOf } from '../shared-sql'

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
