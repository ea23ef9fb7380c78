/** Reads a job back with all that its outcomes were derived from: its result files and look-ups. */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Job } from '../../domain/job'
import type { LookUp } from '../../domain/look-up'
import type { Verdict } from '../../domain/outcome'
import type { Pool } from '../session/session'
import { inSnapshot, type Queries } from '../session/transaction'
import { loadJob } from './job-row'
import { lookUpsOf } from './untold'

const decompress = promisify(gunzip)

export type StoredOutcome = Pick<Verdict, 'seq' | 'outcome' | 'final' | 'code'>

/** A job with its outcomes and all that they were derived from. */
export interface JobEvidence {
  readonly job: Job
  /** How it ended; null: nothing of it is settled. */
  readonly endedAs: 'completed' | 'interrupted' | 'refused' | null
  /** Why it is held; null: it is not. */
  readonly heldReason: string | null
  /** Every result file that was read, oldest first. */
  readonly files: readonly Uint8Array[]
  readonly lookUps: readonly LookUp[]
  readonly outcomes: readonly StoredOutcome[]
}

interface JobKey {
  readonly batchId: number
  readonly endedAs: JobEvidence['endedAs']
  readonly heldReason: string | null
}

/** Finds a job by the provider's JobId, else by our own number. */
const findJob = async (from: Queries, id: string): Promise<JobKey | null> => {
  const by = async (column: 'provider_job_id' | 'job_id', value: string): Promise<JobKey | null> => {
    const { rows } = await from.query<JobKey>(
      `select job_id::float8 as "batchId", ended_as as "endedAs", held_reason as "heldReason" from job where ${column} = $1`,
      [value],
    )
    return rows[0] ?? null
  }
  const found = await by('provider_job_id', id)
  return found ?? (/^\d{1,15}$/.test(id) ? by('job_id', id) : null)
}

const filesOf = async (from: Queries, batchId: number): Promise<Uint8Array[]> => {
  const { rows } = await from.query<{ gzipped: Buffer; earlier: Buffer[] }>(
    'select gzipped, earlier from result_file where job_id = $1',
    [batchId],
  )
  return Promise.all(
    rows.flatMap(({ gzipped, earlier }) => [...earlier, gzipped]).map(file => decompress(file)),
  )
}

/** All of one moment; null when there is no such job. */
export const readJobEvidence = (pool: Pool, id: string): Promise<JobEvidence | null> =>
  inSnapshot(pool, async from => {
    const key = await findJob(from, id)
    if (key === null) return null
    const { batchId, endedAs, heldReason } = key
    const outcomes = await from.query<StoredOutcome>(
      `select o.seq, o.outcome, o.final, o.code
       from job j join outcome o on o.route_id = j.route_id and o.seq between j.from_seq and j.to_seq
       where j.job_id = $1 and o.job_id = $1 order by o.seq`,
      [batchId],
    )
    return {
      job: await loadJob(from, batchId),
      endedAs,
      heldReason,
      files: await filesOf(from, batchId),
      lookUps: await lookUpsOf(from, batchId),
      outcomes: outcomes.rows,
    }
  })
