/** All that a job's outcomes are derived from: its result files and look-ups, kept with it and read back. */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { PoolClient } from 'pg'
import type { Job } from '../../domain/job'
import type { LookUp } from '../../domain/look-up'
import type { Verdict } from '../../domain/outcome'
import type { ResultFile } from '../../ports/journal'
import type { Pool } from '../session/session'
import { inSnapshot, type Queries } from '../session/transaction'
import { loadJob } from './job-row'

/** A large file takes a while, and a transaction would count as idle meanwhile, so this comes before the transaction. */
export const compress: (body: Uint8Array) => Promise<Buffer> = promisify(gzip)

// The latest file stands in the row, and those before it in `earlier`, in the order in which they were first read. The same
// files are read again after a restart; a file that is there already is not kept twice.
const insertFile = `
  insert into result_file as kept (job_id, content_type, bytes, gzipped) values ($1, $2, $3, $4)
  on conflict (job_id) do update set received_at = now(), content_type = excluded.content_type, bytes = excluded.bytes,
    gzipped = excluded.gzipped, earlier = kept.earlier || kept.gzipped
  where kept.gzipped <> excluded.gzipped and not excluded.gzipped = any (kept.earlier)`

export const keepResultFile = async (
  client: PoolClient,
  batchId: number,
  file: ResultFile,
  gzipped: Buffer,
): Promise<void> => {
  await client.query(insertFile, [batchId, file.contentType, file.body.byteLength, gzipped])
}

/** Drops the look-ups: answers from before a create, or about another JobId, say nothing of what the job does. */
export const dropLookUps = async (client: PoolClient, batchId: number): Promise<void> => {
  await client.query('delete from look_up where job_id = $1', [batchId])
}

/** Drops all that is kept of a job at the provider, because that job is another's or is taken for one. */
export const dropEvidence = async (client: PoolClient, batchId: number): Promise<void> => {
  await dropLookUps(client, batchId)
  await client.query('delete from result_file where job_id = $1', [batchId])
}

export const keepLookUps = async (
  client: PoolClient,
  batchId: number,
  lookUps: readonly LookUp[],
): Promise<void> => {
  await client.query(
    `insert into look_up (job_id, answers) values ($1, $2)
     on conflict (job_id) do update set received_at = now(), answers = excluded.answers`,
    [batchId, JSON.stringify(lookUps)],
  )
}

const decompress = promisify(gunzip)

export type StoredOutcome = Pick<Verdict, 'seq' | 'outcome' | 'final' | 'code'>

/** A job with its outcomes and all that they were derived from. */
export interface JobEvidence {
  readonly job: Job
  /** How it ended; null: it is not settled. */
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
  readonly status: string
  readonly endedAs: JobEvidence['endedAs']
  readonly heldReason: string | null
}

/** Finds a job by the provider's JobId, else by our own number. */
const findJob = async (from: Queries, id: string): Promise<JobKey | null> => {
  const by = async (column: 'provider_job_id' | 'job_id', value: string): Promise<JobKey | null> => {
    const { rows } = await from.query<JobKey>(
      `select job_id::float8 as "batchId", status, ended_as as "endedAs", held_reason as "heldReason" from job where ${column} = $1`,
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

export const lookUpsOf = async (from: Queries, batchId: number): Promise<readonly LookUp[]> => {
  // Only `keepLookUps` writes the column, so it holds look-ups.
  const { rows } = await from.query<{ answers: readonly LookUp[] }>(
    'select answers from look_up where job_id = $1',
    [batchId],
  )
  return rows[0]?.answers ?? []
}

/** All of one moment; null when there is no such job. */
export const readJobEvidence = (pool: Pool, id: string): Promise<JobEvidence | null> =>
  inSnapshot(pool, async from => {
    const key = await findJob(from, id)
    if (key === null) return null
    const { batchId, endedAs, status, heldReason } = key
    const outcomes = await from.query<StoredOutcome>(
      `select o.seq, o.outcome, o.final, o.code
       from job j join outcome o on o.route_id = j.route_id and o.seq between j.from_seq and j.to_seq
       where j.job_id = $1 and o.job_id = $1 order by o.seq`,
      [batchId],
    )
    return {
      job: await loadJob(from, batchId),
      endedAs: status === 'settled' ? endedAs : null,
      heldReason,
      files: await filesOf(from, batchId),
      lookUps: await lookUpsOf(from, batchId),
      outcomes: outcomes.rows,
    }
  })
