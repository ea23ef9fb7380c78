/** Everything that `status` shows and that lies in the database. */
import type { Pool } from 'pg'
import { inSnapshot, type Queries } from '../session/transaction'
import { type Conservation, readConservation } from './conservation'
import { type LookUpsStatus, readLookUps } from './read-look-ups'
import { type OpenJobs, readOpenJobs } from './read-open-jobs'
import { type OverdueJobStatus, readOverdueJobs } from './read-overdue-jobs'

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
  /** Moves bound to a job that is held. */
  readonly inHeldJobs: number
  readonly oldestPendingAt: string | null
  readonly eta: string | null
  readonly heldAt: string | null
  readonly heldReason: string | null
  /** The batch because of which nothing of the route is sent, and why. */
  readonly blockedByBatch: number | null
  readonly blockedReason: string | null
}

export interface CodeStatus {
  readonly code: string
  readonly outcomes: number
  readonly final: number
  readonly lastSeenAt: string
}

/** What the database alone can tell about the service. */
export interface DatabaseStatus extends OpenJobs {
  readonly moves: Conservation
  /** Jobs that run for so long that they may never end, oldest first. */
  readonly overdueJobs: readonly OverdueJobStatus[]
  /** The line of look-ups; null: nothing waits to be looked up. */
  readonly lookUps: LookUpsStatus | null
  readonly lease: { readonly holder: string | null; readonly expiresInMs: number | null }
  /** Routes with work to do or held, most pending first, at most 100. */
  readonly routes: readonly RouteStatus[]
  /** When the next re-queued move is due; null when none waits. */
  readonly nextRetryAt: string | null
  /** Outcomes that are settled and not published yet (without Kafka: all of them). */
  readonly unpublished: number
  /** Failures of the last 24 hours by code, most frequent first, at most 20. */
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

type Instants = 'oldestPendingAt' | 'eta' | 'heldAt'
type RouteRow = Omit<RouteStatus, Instants> & Readonly<Record<Instants, Date | null>>

/** Routes with something to do or held, most pending first, at most 100. */
export const readRoutes = async (from: Queries): Promise<RouteStatus[]> => {
  const { rows } = await from.query<RouteRow>(
    `select route_id as "routeId", product_key as "productKey", source_instance_id as "sourceInstanceId",
            target_instance_ids as "targetInstanceIds", priority, pending::float8, in_flight::float8 as "inFlight",
            retrying::float8, moved::float8, failed::float8, in_held_jobs::float8 as "inHeldJobs",
            oldest_pending_at as "oldestPendingAt", eta, held_at as "heldAt", held_reason as "heldReason",
            blocked_by_batch::float8 as "blockedByBatch", blocked_reason as "blockedReason"
     from device_move.routes where pending + in_flight + retrying + in_held_jobs > 0 or held_at is not null
     order by routes.pending + routes.retrying desc, route_id limit 100`,
  )
  return rows.map(row => ({
    ...row,
    oldestPendingAt: iso(row.oldestPendingAt),
    eta: iso(row.eta),
    heldAt: iso(row.heldAt),
  }))
}

const readFailures = async (from: Queries): Promise<CodeStatus[]> => {
  const { rows } = await from.query<Omit<CodeStatus, 'lastSeenAt'> & { readonly lastSeenAt: Date }>(
    `select o.code, count(*)::float8 as outcomes, (count(*) filter (where o.final))::float8 as final,
            max(coalesce(p.settled_at, j.settled_at)) as "lastSeenAt"
     from job j join outcome o on o.route_id = j.route_id and o.seq between j.from_seq and j.to_seq and o.job_id = j.job_id
     left join job_part p on p.job_id = o.job_id and p.part = o.part
     where (j.settled_at > now() - interval '1 day' or j.status = 'looking-up') and j.failed + j.retried > 0 and o.outcome = 'failed'
     group by o.code order by outcomes desc limit 20`,
  )
  return rows.map(row => ({ ...row, lastSeenAt: row.lastSeenAt.toISOString() }))
}

const readWaiting = async (from: Queries): Promise<{ nextRetryAt: string | null; unpublished: number }> => {
  const { rows } = await from.query<{ due_at: Date | null; unpublished: bigint }>(
    `select (select min(due_at) from requeue) as due_at, (select coalesce(sum(outcomes), 0) from outbox) as unpublished`,
  )
  return { nextRetryAt: iso(rows[0]?.due_at ?? null), unpublished: Number(rows[0]?.unpublished ?? 0) }
}

export interface StatusOptions {
  /** A job that runs for so many times the mean is overdue. */
  readonly overdueFactor: number
}

/** Everything `status` shows that lies in the database, as of one moment. */
export const readDatabaseStatus = (pool: Pool, { overdueFactor }: StatusOptions): Promise<DatabaseStatus> =>
  inSnapshot(pool, async from => ({
    moves: await readConservation(from),
    lease: await readLease(from),
    routes: await readRoutes(from),
    ...(await readOpenJobs(from)),
    overdueJobs: await readOverdueJobs(from, overdueFactor),
    ...(await readWaiting(from)),
    lookUps: await readLookUps(from),
    failures: await readFailures(from),
  }))
