/**
 * Ends what is pending or waiting of a route, in slices: each is claimed under the claim rules, and settled as cancelled in
 * the same transaction. Killed midway it is simply done again.
 */
import type { Pool, PoolClient } from 'pg'
import { defer, EMPTY, expand, last, map, type Observable } from 'rxjs'
import { refusedVerdicts } from '../../domain/settlement'
import { claimRange, countUnrepeated } from '../claim/claim-range'
import { appendRequeued, type RequeuedRow } from '../claim/unfinished-work'
import { inSnapshot, inTransaction, lockClaims, type Queries } from '../session/transaction'
import { notifyChange, unfinished } from '../shared-sql'
import { lockJob, movesOfJob } from './job-row'
import { releaseRefusedRoute } from './route-hold'
import { settleJob } from './store-settlement'

export interface Cancelled {
  /** Moves that ended as failed, code `cancelled`; of a dry run: that would. */
  readonly cancelled: number
  /** Moves in jobs that exist or may exist at the provider, which cannot be recalled. */
  readonly inFlight: number
}

/** Moves that are claimed and settled in one transaction at most. So many make one batch. */
const sliceMoves = 10_000

const message = 'An operator cancelled the request before it was sent.'
/** Nothing of the route is claimed between two slices. */
const holdReason = 'a cancel of it is under way; if it was interrupted, run it again'

const settleAsCancelled = async (client: PoolClient, batchId: number): Promise<number> => {
  const job = await lockJob(client, batchId)
  const moves = await movesOfJob(client, job)
  await client.query(
    'update job set held_at = null, held_reason = null, held_with_route = false where job_id = $1',
    [batchId],
  )
  await settleJob(client, job, refusedVerdicts(moves, 'cancelled', message), {
    as: 'abandoned',
    mayLeave: false,
  })
  return moves.length
}

const selectClaimed = `
  select j.job_id::float8 as "batchId", j.moves from job j
  where j.route_id = $1 and j.status = 'claimed' and ${unfinished('j')}
  order by j.job_id limit 200 for no key update`

/** Takes back batches that were claimed and not sent, until a slice is full. A driver that has one in hand learns of it. */
const cancelClaimed = async (client: PoolClient, routeId: number): Promise<number> => {
  const { rows } = await client.query<{ batchId: number; moves: number }>(selectClaimed, [routeId])
  let cancelled = 0
  for (const { batchId, moves } of rows) {
    if (cancelled > 0 && cancelled + moves > sliceMoves) break
    cancelled += await settleAsCancelled(client, batchId)
  }
  return cancelled
}

const selectRequeued = `
  select requeue_id, route_id from requeue where route_id = $1 and requeue_id > $2 order by requeue_id limit ${sliceMoves}`

interface Log {
  readonly claimed: bigint
  readonly appended: bigint
}

const logOf = async (from: Queries, routeId: number): Promise<Log | null> => {
  const { rows } = await from.query<Log>(
    'select k.claimed, i.appended from route_claims k join route_intake i using (route_id) where route_id = $1',
    [routeId],
  )
  return rows[0] ?? null
}

const toOf = ({ claimed, appended }: Log): bigint =>
  claimed + BigInt(sliceMoves) < appended ? claimed + BigInt(sliceMoves) : appended

const inFlightOf = async (from: Queries, routeId: number): Promise<number> => {
  const { rows } = await from.query<{ moves: number }>(
    `select coalesce(sum(j.moves - coalesce(j.moved + j.failed + j.retried, 0)), 0)::float8 as moves from job j
     where j.route_id = $1 and j.status <> 'claimed' and ${unfinished('j')}`,
    [routeId],
  )
  return rows[0]?.moves ?? 0
}

interface Progress extends Cancelled {
  readonly isDone: boolean
  /** The latest re-queued move that was looked at. */
  readonly requeueId: bigint
}

const holdMeanwhile = `
  update route set held_at = now(), held_kind = 'operator', held_reason = $2, retry_at = null
  where route_id = $1 and (held_at is null or held_kind = 'refused')`
const releaseAfterwards = `
  update route set held_at = null, held_reason = null, held_kind = null where route_id = $1 and held_reason = $2`
const notify = `select ${notifyChange}`

/** The next slice; null: there is no such route. */
const cancelSlice = async (
  client: PoolClient,
  routeId: number,
  before: Progress,
): Promise<Progress | null> => {
  await lockClaims(client)
  const after = (more: Partial<Progress>): Progress => ({ ...before, ...more })
  const claimed = await cancelClaimed(client, routeId)
  if (claimed === 0) {
    const { rows } = await client.query<RequeuedRow>(selectRequeued, [routeId, before.requeueId])
    await appendRequeued(client, rows)
    const log = await logOf(client, routeId)
    if (log === null) return null
    if (log.claimed === log.appended) {
      await client.query(releaseAfterwards, [routeId, holdReason])
      await releaseRefusedRoute(client, routeId)
      await client.query(notify)
      return after({ isDone: true, inFlight: await inFlightOf(client, routeId) })
    }
    await client.query(holdMeanwhile, [routeId, holdReason])
    const range = { routeId, fromSeq: log.claimed + 1n, toSeq: toOf(log) }
    const batchId = await claimRange(client, range, { toCancel: true })
    const cancelled = batchId === null ? 0 : await settleAsCancelled(client, batchId)
    return after({
      cancelled: before.cancelled + cancelled,
      requeueId: rows.at(-1)?.requeue_id ?? before.requeueId,
    })
  }
  await client.query(holdMeanwhile, [routeId, holdReason])
  return after({ cancelled: before.cancelled + claimed })
}

const start: Progress = { cancelled: 0, inFlight: 0, isDone: false, requeueId: 0n }

const resultOf = (progress: Progress | null): Cancelled | null =>
  progress === null ? null : { cancelled: progress.cancelled, inFlight: progress.inFlight }

/** Emits once all is cancelled that the route has. null: there is no such route. Any process may do it. */
export const cancelRoute = (pool: Pool, routeId: number): Observable<Cancelled | null> => {
  const slice = (before: Progress) => inTransaction(pool, client => cancelSlice(client, routeId, before))
  return slice(start).pipe(
    expand(progress => (progress === null || progress.isDone ? EMPTY : slice(progress))),
    last(),
    map(resultOf),
  )
}

const selectWaiting = `
  select (select count(*) from requeue where route_id = $1)::float8
       + (select coalesce(sum(j.moves), 0) from job j
          where j.route_id = $1 and j.status = 'claimed' and ${unfinished('j')})::float8 as moves`

/** Counts what `cancelRoute` would end, and changes nothing. */
export const previewCancel = (pool: Pool, routeId: number): Observable<Cancelled | null> =>
  defer(() =>
    inSnapshot(pool, async client => {
      const log = await logOf(client, routeId)
      if (log === null) return null
      const { rows } = await client.query<{ moves: number }>(selectWaiting, [routeId])
      let cancelled = rows[0]?.moves ?? 0
      for (let { claimed } = log; claimed < log.appended; claimed = toOf({ ...log, claimed }))
        cancelled += await countUnrepeated(client, {
          routeId,
          fromSeq: claimed + 1n,
          toSeq: toOf({ ...log, claimed }),
        })
      return { cancelled, inFlight: await inFlightOf(client, routeId) }
    }),
  )
