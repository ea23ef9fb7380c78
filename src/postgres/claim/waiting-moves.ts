/** Moves that wait outside a route's log, in `requeue`: put there, released, and appended again when they are due. */
import type { PoolClient } from 'pg'
import { moveColumns, moveColumnsOf } from '../shared-sql'

/**
 * Takes the claim lock and keeps it to the end of the transaction: claims, and the release of waiting moves, follow each
 * other.
 */
export const lockClaims = async (client: PoolClient): Promise<void> => {
  await client.query('select from claim_lock for update')
}

/** Positions of a range that must wait, in order, each with the acceptance it waits for. */
export interface WaitingMoves {
  readonly routeId: number
  readonly seqs: readonly bigint[]
  readonly waitsFor: readonly bigint[]
}

/** Takes claimed positions out of their range and puts their moves back into the re-queue, attempt unchanged. */
export const setWaiting = async (
  client: PoolClient,
  { routeId, seqs, waitsFor }: WaitingMoves,
): Promise<void> => {
  if (seqs.length === 0) return
  await client.query(
    `with waiting as (
       insert into left_out (route_id, seq, reason) select $1, seq, 'waiting' from unnest($2::bigint[]) as t (seq)
     )
     insert into requeue (route_id, attempt, waits_for, ${moveColumns})
     select m.route_id, m.attempt, t.waits_for, ${moveColumnsOf('m')}
     from unnest($2::bigint[], $3::bigint[]) as t (seq, waits_for)
     join move m on m.route_id = $1 and m.seq between $4 and $5 and m.seq = t.seq`,
    // The range is given because by the positions alone the planner may go through the whole log of the route.
    [routeId, seqs, waitsFor, seqs[0], seqs.at(-1)],
  )
}

/** Makes the moves due now that waited for one of these acceptances. Needs the claim lock. */
export const releaseWaitingFor = async (client: PoolClient, accepted: readonly bigint[]): Promise<void> => {
  if (accepted.length === 0) return
  await client.query(
    'update requeue set due_at = now(), waits_for = null where waits_for = any($1::bigint[])',
    [accepted],
  )
}

/**
 * Makes the moves due now that waited for a move of a job's range. Needs the claim lock: a claim that decides to wait and
 * the settlement that should release it must not miss each other.
 */
export const releaseWaitingForJob = async (
  client: PoolClient,
  { routeId, fromSeq, toSeq }: { readonly routeId: number; readonly fromSeq: bigint; readonly toSeq: bigint },
): Promise<void> => {
  const { rowCount } = await client.query('select from requeue where waits_for is not null limit 1')
  if (rowCount === 0) return
  await client.query(
    `update requeue q set due_at = now(), waits_for = null
     from move m
     where m.route_id = $1 and m.seq between $2 and $3 and q.waits_for = m.accepted`,
    [routeId, fromSeq, toSeq],
  )
}

/** Most moves that are appended again in one transaction. */
const maxMoves = 20_000

// `again` counts further attempts only: a move that had to wait may still be in its first.
const advance = `
  update route_intake i set appended = i.appended + d.moves, appended_again = i.appended_again + d.again
  from (select route_id, count(*) as moves, count(*) filter (where attempt > 1) as again
        from requeue where requeue_id = any($1::bigint[]) group by route_id) d
  where i.route_id = d.route_id`

// The routes' rows are locked, so `appended` stands still until `advance`.
const append = `
  insert into move (route_id, seq, attempt, appended_at, ${moveColumns})
  select q.route_id, i.appended + row_number() over (partition by q.route_id order by q.due_at, q.requeue_id), q.attempt,
         statement_timestamp(), ${moveColumnsOf('q')}
  from requeue q join route_intake i using (route_id)
  where q.requeue_id = any($1::bigint[])`

/** Appends what is due to the logs of its routes, at most 20,000 moves. Needs the claim lock. */
export const appendDue = async (client: PoolClient): Promise<void> => {
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
  await client.query(append, due)
  await client.query(advance, due)
  await client.query('delete from requeue where requeue_id = any($1::bigint[])', due)
}
