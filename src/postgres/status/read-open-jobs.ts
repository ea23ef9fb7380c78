/** The batches that are not settled: how many, which are held, and which are in trouble. */
import type { JobStatus } from '../../domain/job'
import { type HeldJob, type Resolution, resolutionsFor } from '../../domain/resolution'
import type { Queries } from '../session/transaction'
import { unfinished } from '../shared-sql'

/** A batch that waits for an operator. */
export interface HeldJobStatus {
  readonly batchId: number
  readonly jobId: string | null
  readonly routeId: number
  readonly status: JobStatus
  /** Those without an outcome. */
  readonly moves: number
  readonly heldAt: string
  readonly heldReason: string
  /** What `device-move resolve` accepts for it. */
  readonly resolutions: readonly Resolution['kind'][]
}

/**
 * A batch that is not held and yet does not go on as it should. `denied`: the journal has it running, but the provider does
 * not know its job. `refused`: its creates were refused with unrecognised codes. `unanswered`: its create has no answer.
 * `no-results`: it has ended, and its results cannot be had.
 */
export interface TroubledJobStatus {
  readonly kind: 'denied' | 'refused' | 'unanswered' | 'no-results'
  readonly batchId: number
  readonly jobId: string | null
  readonly routeId: number
  readonly moves: number
  /** Creates refused with unrecognised codes. */
  readonly refusals: number
  readonly lastError: string
}

/** The batches that are neither settled nor split. */
export interface OpenJobs {
  /** How many, by status. */
  readonly openJobs: Readonly<Record<string, number>>
  readonly heldJobs: readonly HeldJobStatus[]
  readonly troubledJobs: readonly TroubledJobStatus[]
  /** Their last errors, newest batch first, at most 5. */
  readonly lastErrors: readonly string[]
}

interface OpenJobRow {
  readonly batchId: number
  readonly jobId: string | null
  readonly routeId: number
  readonly status: JobStatus
  readonly moves: number
  readonly foundBy: HeldJob['foundBy']
  readonly notOurs: readonly string[]
  readonly clashesWith: string | null
  readonly refusals: number
  readonly heldAt: Date | null
  readonly heldReason: string | null
  readonly lastError: string | null
}

const heldJobOf = ({ heldAt, heldReason, ...row }: OpenJobRow): HeldJobStatus[] => {
  if (heldAt === null) return []
  const { batchId, jobId, routeId, status, moves } = row
  const resolutions = resolutionsFor({ ...row, isHeld: true, isOverdue: false })
  return [
    {
      batchId,
      jobId,
      routeId,
      status,
      moves,
      heldAt: heldAt.toISOString(),
      heldReason: heldReason ?? '',
      resolutions,
    },
  ]
}

const troubleOf = ({ status, refusals }: OpenJobRow): TroubledJobStatus['kind'] | null => {
  if (status === 'running') return 'denied'
  if (status === 'completed' || status === 'interrupted') return 'no-results'
  if (status !== 'claimed' && status !== 'creating' && status !== 'unknown') return null
  if (refusals > 0) return 'refused'
  return status === 'unknown' ? 'unanswered' : null
}

const troubledJobOf = (row: OpenJobRow): TroubledJobStatus[] => {
  const kind = troubleOf(row)
  const { batchId, jobId, routeId, moves, refusals, lastError } = row
  if (kind === null || row.heldAt !== null || lastError === null) return []
  return [{ kind, batchId, jobId, routeId, moves, refusals, lastError }]
}

/** Reads every batch that is neither settled nor split, newest first. */
export const readOpenJobs = async (from: Queries): Promise<OpenJobs> => {
  const { rows } = await from.query<OpenJobRow>(
    `select job_id::float8 as "batchId", provider_job_id as "jobId", route_id as "routeId", status,
            moves - coalesce(moved + failed + retried, 0) as moves,
            refusals - inherited_refusals as refusals, held_at as "heldAt", held_reason as "heldReason",
            last_error as "lastError", found_by as "foundBy", not_ours as "notOurs", clashes_with as "clashesWith"
     from job where ${unfinished('job')} order by job_id desc`,
  )
  const openJobs: Record<string, number> = {}
  for (const { status } of rows) openJobs[status] = (openJobs[status] ?? 0) + 1
  return {
    openJobs,
    heldJobs: rows.flatMap(heldJobOf),
    troubledJobs: rows.flatMap(troubledJobOf),
    lastErrors: rows.flatMap(({ lastError }) => (lastError === null ? [] : [lastError])).slice(0, 5),
  }
}
