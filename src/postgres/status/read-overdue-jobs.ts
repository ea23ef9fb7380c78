/** The jobs that run for so long that they may never end. */
import { overdueAfterMs } from '../../domain/job-length'
import { type HeldJob, type Resolution, resolutionsFor } from '../../domain/resolution'
import { readMeanJobMs } from '../job/job-row'
import type { Queries } from '../session/transaction'
import { unfinished } from '../shared-sql'

/** A job that runs, as the provider says, and should have ended long ago. It takes a slot, and its devices wait. */
export interface OverdueJobStatus {
  readonly batchId: number
  readonly jobId: string
  readonly routeId: number
  readonly moves: number
  readonly runningSince: string
  readonly ageMs: number
  /** Mean time of the newest jobs from create to end, ms; null before the first has ended. */
  readonly usualMs: number | null
  /** What `device-move resolve` accepts for it. */
  readonly resolutions: readonly Resolution['kind'][]
}

type Row = Pick<OverdueJobStatus, 'batchId' | 'jobId' | 'routeId' | 'moves' | 'ageMs'> &
  Pick<HeldJob, 'foundBy' | 'notOurs'> & { readonly since: Date }

/** Oldest first. Jobs that the provider denies are in trouble of another kind, and are not among them. */
export const readOverdueJobs = async (
  from: Queries,
  overdueFactor: number,
): Promise<readonly OverdueJobStatus[]> => {
  const usualMs = await readMeanJobMs(from)
  const { rows } = await from.query<Row>(
    `select job_id::float8 as "batchId", provider_job_id as "jobId", route_id as "routeId", moves,
            create_started_at as since, (extract(epoch from now() - create_started_at) * 1000)::float8 as "ageMs",
            found_by as "foundBy", not_ours as "notOurs"
     from job
     where ${unfinished('job')} and status = 'running' and held_at is null and last_error is null
       and create_started_at <= now() - make_interval(secs => $1)
     order by create_started_at`,
    [overdueAfterMs(usualMs, overdueFactor) / 1000],
  )
  return rows.map(({ since, foundBy, notOurs, ageMs, ...job }) => ({
    ...job,
    runningSince: since.toISOString(),
    ageMs: Math.round(ageMs),
    usualMs: usualMs === null ? null : Math.round(usualMs),
    resolutions: resolutionsFor({
      status: 'running',
      isHeld: false,
      isOverdue: true,
      clashesWith: null,
      foundBy,
      notOurs,
    }),
  }))
}
