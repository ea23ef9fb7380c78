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
  /** It waits unsent with its held route, and is released with it. */
  readonly withRoute: boolean
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

/** What searches for bad devices have left to do, and what they have cost so far. */
export interface Searches {
  /** Devices of pieces that are still to be created. */
  readonly devices: number
  readonly pieces: number
  /** Jobs of pieces that are open, or are being created. */
  readonly openJobs: number
  /** Creates spent on the searches that are not over. */
  readonly creates: number
}

/** The batches that are neither settled nor split. */
export interface OpenJobs {
  /** How many, by status. */
  readonly openJobs: Readonly<Record<string, number>>
  readonly heldJobs: readonly HeldJobStatus[]
  readonly troubledJobs: readonly TroubledJobStatus[]
  /** null: nothing is searched. */
  readonly searches: Searches | null
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
  readonly withRoute: boolean
  readonly devices: number
  /** Root of the search that it is a piece of; null: of none. */
  readonly searchRoot: bigint | null
}

const heldJobOf = ({ heldAt, heldReason, ...row }: OpenJobRow): HeldJobStatus[] => {
  if (heldAt === null) return []
  const { batchId, jobId, routeId, status, moves, withRoute } = row
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
      withRoute,
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

// A batch without calls was halved unsent, or is yet to be sent. The root itself was sent once.
const readCreates = async (from: Queries, roots: readonly bigint[]): Promise<number> => {
  const { rows } = await from.query<{ creates: number }>(
    `select count(*)::float8 as creates from job
     where calls > 0 and (family = any($1::bigint[]) or job_id = any($1::bigint[]))`,
    [roots],
  )
  return rows[0]?.creates ?? 0
}

const readSearches = async (from: Queries, rows: readonly OpenJobRow[]): Promise<Searches | null> => {
  const pieces = rows.filter(({ searchRoot }) => searchRoot !== null)
  if (pieces.length === 0) return null
  const waiting = pieces.filter(({ status }) => status === 'claimed')
  const roots = [...new Set(pieces.flatMap(({ searchRoot }) => (searchRoot === null ? [] : [searchRoot])))]
  return {
    devices: waiting.reduce((sum, { devices }) => sum + devices, 0),
    pieces: waiting.length,
    openJobs: pieces.filter(({ status }) => isOpen.has(status)).length,
    creates: await readCreates(from, roots),
  }
}

const isOpen: ReadonlySet<JobStatus> = new Set(['creating', 'unknown', 'running'])

/** Reads every batch that is neither settled nor split, newest first. */
export const readOpenJobs = async (from: Queries): Promise<OpenJobs> => {
  const { rows } = await from.query<OpenJobRow>(
    `select job_id::float8 as "batchId", provider_job_id as "jobId", route_id as "routeId", status,
            moves - coalesce(moved + failed + retried, 0) as moves,
            refusals - inherited_refusals as refusals, held_at as "heldAt", held_reason as "heldReason",
            held_with_route as "withRoute", devices, case when search is not null then family end as "searchRoot",
            last_error as "lastError", found_by as "foundBy", not_ours as "notOurs", clashes_with as "clashesWith"
     from job where ${unfinished('job')} order by job_id desc`,
  )
  const openJobs: Record<string, number> = {}
  for (const { status } of rows) openJobs[status] = (openJobs[status] ?? 0) + 1
  return {
    openJobs,
    heldJobs: rows.flatMap(heldJobOf),
    troubledJobs: rows.flatMap(troubledJobOf),
    searches: await readSearches(from, rows),
    lastErrors: rows.flatMap(({ lastError }) => (lastError === null ? [] : [lastError])).slice(0, 5),
  }
}
