import type { JobStatus } from '../../domain/job'
import { type HeldJob, type Resolution, resolutionsFor } from '../../domain/resolution'
import type { Queries } from '../session/transaction'

/** A batch that waits for somebody. */
export interface HeldJobStatus {
  readonly batchId: number
  readonly jobId: string | null
  readonly routeId: number
  readonly status: JobStatus
  readonly moves: number
  readonly heldAt: string
  readonly heldReason: string
  /** What `device-move resolve` accepts for it. */
  readonly resolutions: readonly Resolution['kind'][]
}

/**
 * A batch that is not held and yet does not go on as it should. `denied`: running, as far as we know, but the provider
 * does not know its job. `refused`: its creates were, with unrecognised codes. `unanswered`: its create was not.
 * `no-results`: it has ended, and its results cannot be had.
 */
export interface TroubledJobStatus {
  readonly kind: 'denied' | 'refused' | 'unanswered' | 'no-results'
  readonly batchId: number
  readonly jobId: string | null
  readonly routeId: number
  readonly moves: number
  /** With unrecognised codes. */
  readonly refusals: number
  readonly lastError: string
}

/** Batches that are not settled. */
export interface OpenJobs {
  /** How many, by status. */
  readonly openJobs: Readonly<Record<string, number>>
  readonly heldJobs: readonly HeldJobStatus[]
  readonly troubledJobs: readonly TroubledJobStatus[]
  /** Their last errors: newest batch first; at most 5. */
  readonly lastErrors: readonly string[]
}

interface OpenJobRow {
  readonly job_id: bigint
  readonly provider_job_id: string | null
  readonly route_id: number
  readonly status: JobStatus
  readonly moves: number
  readonly found_by: HeldJob['foundBy']
  readonly not_ours: readonly string[]
  readonly clashes_with: string | null
  readonly own_refusals: number
  readonly held_at: Date | null
  readonly held_reason: string | null
  readonly last_error: string | null
}

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
          resolutions: resolutionsFor({
            status: row.status,
            isHeld: true,
            foundBy: row.found_by,
            notOurs: row.not_ours,
            clashesWith: row.clashes_with,
          }),
        },
      ]

const troubleOf = ({ status, own_refusals }: OpenJobRow): TroubledJobStatus['kind'] | null => {
  if (status === 'running') return 'denied'
  if (status === 'completed' || status === 'interrupted') return 'no-results'
  if (status !== 'claimed' && status !== 'creating' && status !== 'unknown') return null
  if (own_refusals > 0) return 'refused'
  return status === 'unknown' ? 'unanswered' : null
}

const troubledJobOf = (row: OpenJobRow): TroubledJobStatus[] => {
  const kind = troubleOf(row)
  if (kind === null || row.held_at !== null || row.last_error === null) return []
  const {
    provider_job_id: jobId,
    route_id: routeId,
    moves,
    own_refusals: refusals,
    last_error: lastError,
  } = row
  return [{ kind, batchId: Number(row.job_id), jobId, routeId, moves, refusals, lastError }]
}

/** Of every batch that is not settled, newest first. */
export const readOpenJobs = async (from: Queries): Promise<OpenJobs> => {
  const { rows } = await from.query<OpenJobRow>(
    `select job_id, provider_job_id, route_id, status, moves, refusals - inherited_refusals as own_refusals,
              held_at, held_reason, last_error, found_by, not_ours, clashes_with
       from job where status not in ('refused', 'settled') order by job_id desc`,
  )
  const openJobs: Record<string, number> = {}
  for (const { status } of rows) openJobs[status] = (openJobs[status] ?? 0) + 1
  return {
    openJobs,
    heldJobs: rows.flatMap(heldJobOf),
    troubledJobs: rows.flatMap(troubledJobOf),
    lastErrors: rows.flatMap(({ last_error: error }) => (error === null ? [] : [error])).slice(0, 5),
  }
}
