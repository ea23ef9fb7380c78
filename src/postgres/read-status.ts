import type { Pool } from 'pg'
import { type Conservation, readConservation } from './conservation'

/** A route with something to do, or that is held. Instants are ISO 8601. */
export interface RouteStatus {
  readonly routeId: number
  readonly productKey: string
  readonly sourceInstanceId: string
  readonly targetInstanceIds: readonly string[]
  readonly priority: string
  readonly pending: number
  readonly inFlight: number
  readonly retrying: number
  readonly moved: number
  readonly failed: number
  readonly oldestPendingAt: string | null
  readonly eta: string | null
  readonly heldAt: string | null
  readonly heldReason: string | null
}

/** A batch that waits for somebody. */
export interface HeldJobStatus {
  readonly batchId: number
  readonly jobId: string | null
  readonly routeId: number
  readonly status: string
  readonly moves: number
  readonly heldAt: string
  readonly heldReason: string
}

export interface CodeStatus {
  readonly code: string
  readonly outcomes: number
  readonly final: number
  readonly lastSeenAt: string
}

/** What the database alone can tell. */
export interface DatabaseStatus {
  readonly moves: Conservation
  readonly lease: { readonly holder: string | null; readonly expiresInMs: number | null }
  /** With work to do or held, most pending first; at most 100. */
  readonly routes: readonly RouteStatus[]
  readonly heldJobs: readonly HeldJobStatus[]
  /** Batches not settled, by status. */
  readonly openJobs: Readonly<Record<string, number>>
  /** When the next re-queued move is due; null if none waits. */
  readonly nextRetryAt: string | null
  /** Outcomes settled and not published yet (without Kafka: all of them). */
  readonly unpublished: number
  /** Of the last 24 hours, most frequent first; at most 20. */
  readonly failures: readonly CodeStatus[]
  /** Why the last creates that came to nothing did: newest first; at most 5. */
  readonly lastErrors: readonly string[]
}

const iso = (at: Date | null): string | null => at?.toISOString() ?? null

const readLease = async (pool: Pool): Promise<DatabaseStatus['lease']> => {
  const { rows } = await pool.query<{ holder: string | null; expires_in: number | null }>(
    `select holder, case when holder is not null and expires_at > now()
       then extract(epoch from expires_at - now())::float8 * 1000 end as expires_in from lease`,
  )
  const expiresInMs = rows[0]?.expires_in ?? null
  return {
    holder: expiresInMs === null ? null : (rows[0]?.holder ?? null),
    expiresInMs: expiresInMs && Math.round(expiresInMs),
  }
}

interface RouteRow {
  readonly route_id: number
  readonly product_key: string
  readonly source_instance_id: string
  readonly target_instance_ids: string[]
  readonly priority: string
  readonly pending: bigint
  readonly in_flight: bigint
  readonly retrying: bigint
  readonly moved: bigint
  readonly failed: bigint
  readonly oldest_pending_at: Date | null
  readonly eta: Date | null
  readonly held_at: Date | null
  readonly held_reason: string | null
}

const readRoutes = async (pool: Pool): Promise<RouteStatus[]> => {
  const { rows } = await pool.query<RouteRow>(
    `select * from device_move.routes where pending + in_flight + retrying > 0 or held_at is not null
     order by pending + retrying desc, route_id limit 100`,
  )
  return rows.map(row => ({
    routeId: row.route_id,
    productKey: row.product_key,
    sourceInstanceId: row.source_instance_id,
    targetInstanceIds: row.target_instance_ids,
    priority: row.priority,
    pending: Number(row.pending),
    inFlight: Number(row.in_flight),
    retrying: Number(row.retrying),
    moved: Number(row.moved),
    failed: Number(row.failed),
    oldestPendingAt: iso(row.oldest_pending_at),
    eta: iso(row.eta),
    heldAt: iso(row.held_at),
    heldReason: row.held_reason,
  }))
}

interface OpenJobRow {
  readonly job_id: bigint
  readonly provider_job_id: string | null
  readonly route_id: number
  readonly status: string
  readonly moves: number
  readonly held_at: Date | null
  readonly held_reason: string | null
  readonly last_error: string | null
}

const readOpenJobs = async (pool: Pool): Promise<readonly OpenJobRow[]> =>
  (
    await pool.query<OpenJobRow>(
      `select job_id, provider_job_id, route_id, status, moves, held_at, held_reason, last_error
       from job where status not in ('refused', 'settled') order by job_id desc`,
    )
  ).rows

const heldJobOf = (row: OpenJobRow): HeldJobStatus[] =>
  row.held_at === null
    ? []
    : [
        {
          batchId: Number(row.job_id),
          jobId: row.provider_job_id,
          routeId: row.route_id,
          status: row.status,
          moves: row.moves,
          heldAt: row.held_at.toISOString(),
          heldReason: row.held_reason ?? '',
        },
      ]

const readFailures = async (pool: Pool): Promise<CodeStatus[]> => {
  const { rows } = await pool.query<{ code: string; outcomes: bigint; final: bigint; last_seen_at: Date }>(
    `select o.code, count(*) as outcomes, count(*) filter (where o.final) as final, max(j.settled_at) as last_seen_at
     from job j join outcome o on o.route_id = j.route_id and o.seq between j.from_seq and j.to_seq and o.job_id = j.job_id
     where j.settled_at > now() - interval '1 day' and j.failed + j.retried > 0 and o.outcome = 'failed'
     group by o.code order by outcomes desc limit 20`,
  )
  return rows.map(row => ({
    code: row.code,
    outcomes: Number(row.outcomes),
    final: Number(row.final),
    lastSeenAt: row.last_seen_at.toISOString(),
  }))
}

const readWaiting = async (pool: Pool): Promise<{ nextRetryAt: string | null; unpublished: number }> => {
  const { rows } = await pool.query<{ due_at: Date | null; unpublished: bigint }>(
    `select (select min(due_at) from requeue) as due_at, (select coalesce(sum(outcomes), 0) from outbox) as unpublished`,
  )
  return { nextRetryAt: iso(rows[0]?.due_at ?? null), unpublished: Number(rows[0]?.unpublished ?? 0) }
}

/** Everything `status` shows that lies in the database. */
export const readDatabaseStatus = async (pool: Pool): Promise<DatabaseStatus> => {
  // One after the other: they are small, and a status must not take the pool's connections.
  const moves = await readConservation(pool)
  const lease = await readLease(pool)
  const routes = await readRoutes(pool)
  const jobs = await readOpenJobs(pool)
  const openJobs: Record<string, number> = {}
  for (const { status } of jobs) openJobs[status] = (openJobs[status] ?? 0) + 1
  return {
    moves,
    lease,
    routes,
    heldJobs: jobs.flatMap(heldJobOf),
    openJobs,
    ...(await readWaiting(pool)),
    failures: await readFailures(pool),
    lastErrors: jobs.flatMap(({ last_error: error }) => (error === null ? [] : [error])).slice(0, 5),
  }
}
