/** Everything that `status` shows and that lies in the database. */
import type { Pool } from 'pg'
import { inSnapshot, type Queries } from '../session/transaction'
import { type Conservation, readConservation } from './conservation'
import { type LookUpsStatus, readLookUps } from './read-look-ups'
import { type LostRecords, readLostRecords } from './read-lost-records'
import { type OpenJobs, readOpenJobs } from './read-open-jobs'
import { type OverdueJobStatus, readOverdueJobs } from './read-overdue-jobs'
import { type RoutesStatus, readRoutes } from './read-routes'

export interface CodeStatus {
  readonly code: string
  readonly outcomes: number
  readonly final: number
  readonly lastSeenAt: string
}

/** What the database alone can tell about the service. */
export interface DatabaseStatus extends OpenJobs, RoutesStatus {
  readonly moves: Conservation
  /** Jobs that run for so long that they may never end, oldest first. */
  readonly overdueJobs: readonly OverdueJobStatus[]
  /** The line of look-ups; null: nothing waits to be looked up. */
  readonly lookUps: LookUpsStatus | null
  readonly lease: { readonly holder: string | null; readonly expiresInMs: number | null }
  /** Partitions of which Kafka deleted records before they were taken in. */
  readonly lostRecords: readonly LostRecords[]
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
    ...(await readRoutes(from)),
    ...(await readOpenJobs(from)),
    overdueJobs: await readOverdueJobs(from, overdueFactor),
    lostRecords: await readLostRecords(from),
    ...(await readWaiting(from)),
    lookUps: await readLookUps(from),
    failures: await readFailures(from),
  }))
