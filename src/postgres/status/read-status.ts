import type { Pool } from 'pg'
import { inSnapshot, type Queries } from '../session/transaction'
import { type Conservation, readConservation } from './conservation'
import { type OpenJobs, readOpenJobs } from './read-open-jobs'

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
  /** Bound to a job that is held. */
  readonly inHeldJobs: number
  readonly oldestPendingAt: string | null
  readonly eta: string | null
  readonly heldAt: string | null
  readonly heldReason: string | null
  /** Batch that lets nothing of it be sent, and why. */
  readonly blockedByBatch: number | null
  readonly blockedReason: string | null
}

export interface CodeStatus {
  readonly code: string
  readonly outcomes: number
  readonly final: number
  readonly lastSeenAt: string
}

/** What the database alone can tell. */
export interface DatabaseStatus extends OpenJobs {
  readonly moves: Conservation
  readonly lease: { readonly holder: string | null; readonly expiresInMs: number | null }
  /** With work to do or held, most pending first; at most 100. */
  readonly routes: readonly RouteStatus[]
  /** When the next re-queued move is due; null if none waits. */
  readonly nextRetryAt: string | null
  /** Outcomes settled and not published yet (without Kafka: all of them). */
  readonly unpublished: number
  /** Of the last 24 hours, most frequent first; at most 20. */
  readonly failures: readonly CodeStatus[]
}

const iso = (at: Date | null): string | null => at?.toISOString() ?? null

const readLease = async (from: Queries): Promise<DatabaseStatus['lease']> => {
  const { rows } = await from.query<{ holder: string | null; expires_in: number | null }>(
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
  readonly in_held_jobs: bigint
  readonly oldest_pending_at: Date | null
  readonly eta: Date | null
  readonly held_at: Date | null
  readonly held_reason: string | null
  readonly blocked_by_batch: bigint | null
  readonly blocked_reason: string | null
}

/** With something to do or held, most pending first; at most 100. */
export const readRoutes = async (from: Queries): Promise<RouteStatus[]> => {
  const { rows } = await from.query<RouteRow>(
    `select * from device_move.routes where pending + in_flight + retrying + in_held_jobs > 0 or held_at is not null
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
    inHeldJobs: Number(row.in_held_jobs),
    oldestPendingAt: iso(row.oldest_pending_at),
    eta: iso(row.eta),
    heldAt: iso(row.held_at),
    heldReason: row.held_reason,
    blockedByBatch: row.blocked_by_batch === null ? null : Number(row.blocked_by_batch),
    blockedReason: row.blocked_reason,
  }))
}

const readFailures = async (from: Queries): Promise<CodeStatus[]> => {
  const { rows } = await from.query<{ code: string; outcomes: bigint; final: bigint; last_seen_at: Date }>(
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

const readWaiting = async (from: Queries): Promise<{ nextRetryAt: string | null; unpublished: number }> => {
  const { rows } = await from.query<{ due_at: Date | null; unpublished: bigint }>(
    `select (select min(due_at) from requeue) as due_at, (select coalesce(sum(outcomes), 0) from outbox) as unpublished`,
  )
  return { nextRetryAt: iso(rows[0]?.due_at ?? null), unpublished: Number(rows[0]?.unpublished ?? 0) }
}

/** Everything `status` shows that lies in the database, as of one moment. */
export const readDatabaseStatus = (pool: Pool): Promise<DatabaseStatus> =>
  inSnapshot(pool, async from => ({
    moves: await readConservation(from),
    lease: await readLease(from),
    routes: await readRoutes(from),
    ...(await readOpenJobs(from)),
    ...(await readWaiting(from)),
    failures: await readFailures(from),
  }))
