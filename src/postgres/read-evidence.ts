import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Job } from '../domain/job'
import type { LookUp } from '../domain/look-up'
import type { Verdict } from '../domain/outcome'
import { inSnapshot, type Queries } from './in-snapshot'
import { loadJob } from './load-job'
import type { Pool } from './pool'

const decompress = promisify(gunzip)

export type StoredOutcome = Pick<Verdict, 'seq' | 'outcome' | 'final' | 'code'>

/** A job with all that its outcomes were derived from, and the outcomes. */
export interface JobEvidence {
  readonly job: Job
  /** How it had ended; null: it is not settled. */
  readonly endedAs: 'completed' | 'interrupted' | 'refused' | null
  /** Why it is held; null: it is not. */
  readonly heldReason: string | null
  /** Every result file that was read, oldest first. */
  readonly files: readonly Uint8Array[]
  readonly lookUps: readonly LookUp[]
  readonly outcomes: readonly StoredOutcome[]
}

interface JobKey {
  readonly jobId: number
  readonly status: string
  readonly endedAs: JobEvidence['endedAs']
  readonly heldReason: string | null
}

/** By the provider's JobId, else by our own number. */
const findJob = async (from: Queries, id: string): Promise<JobKey | null> => {
  const by = async (column: 'provider_job_id' | 'job_id', value: string): Promise<JobKey | null> => {
    const { rows } = await from.query<JobKey>(
      `select job_id::float8 as "jobId", status, ended_as as "endedAs", held_reason as "heldReason" from job where ${column} = $1`,
      [value],
    )
    return rows[0] ?? null
  }
  const found = await by('provider_job_id', id)
  return found ?? (/^\d{1,15}$/.test(id) ? by('job_id', id) : null)
}

const filesOf = async (from: Queries, jobId: number): Promise<Uint8Array[]> => {
  const { rows } = await from.query<{ gzipped: Buffer; earlier: Buffer[] }>(
    'select gzipped, earlier from result_file where job_id = $1',
    [jobId],
  )
  return Promise.all(
    rows.flatMap(({ gzipped, earlier }) => [...earlier, gzipped]).map(file => decompress(file)),
  )
}

export const lookUpsOf = async (from: Queries, jobId: number): Promise<readonly LookUp[]> => {
  // Only `keepLookUps` writes the column.
  const { rows } = await from.query<{ answers: readonly LookUp[] }>(
    'select answers from look_up where job_id = $1',
    [jobId],
  )
  return rows[0]?.answers ?? []
}

/** null: there is no such job. */
export const readJobEvidence = (pool: Pool, id: string): Promise<JobEvidence | null> =>
  inSnapshot(pool, async from => {
    const key = await findJob(from, id)
    if (key === null) return null
    const { jobId, endedAs, status, heldReason } = key
    const outcomes = await from.query<StoredOutcome>(
      `select o.seq, o.outcome, o.final, o.code
       from job j join outcome o on o.route_id = j.route_id and o.seq between j.from_seq and j.to_seq
       where j.job_id = $1 and o.job_id = $1 order by o.seq`,
      [jobId],
    )
    return {
      job: await loadJob(from, jobId),
      endedAs: status === 'settled' ? endedAs : null,
      heldReason,
      files: await filesOf(from, jobId),
      lookUps: await lookUpsOf(from, jobId),
      outcomes: outcomes.rows,
    }
  })
