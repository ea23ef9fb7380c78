import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { PoolClient } from 'pg'
import type { Job } from '../../domain/job'
import type { LookUp } from '../../domain/look-up'
import type { Verdict } from '../../domain/outcome'
import type { ResultFile } from '../../ports/journal'
import type { Pool } from '../session/session'
import { inSnapshot, type Queries } from '../session/transaction'
import { loadJob } from './load-job'

/** Takes its time with a large file: done before a transaction, which would count as idle meanwhile. */
export const compress: (body: Uint8Array) => Promise<Buffer> = promisify(gzip)

// The latest file stands in the row, those before it in `earlier`, in the order in which they were first read. After
// a restart the same files are read again: what is there already is not kept twice.
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

/** Answers of before a create, or about another JobId, say nothing of what the job does to its devices. */
export const dropLookUps = async (client: PoolClient, batchId: number): Promise<void> => {
  await client.query('delete from look_up where job_id = $1', [batchId])
}

/** Drops all that is kept of a job at the provider: it was another's, or counts as one. */
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
  readonly batchId: number
  readonly status: string
  readonly endedAs: JobEvidence['endedAs']
  readonly heldReason: string | null
}

/** By the provider's JobId, else by our own number. */
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
  // Only `keepLookUps` writes the column.
  const { rows } = await from.query<{ answers: readonly LookUp[] }>(
    'select answers from look_up where job_id = $1',
    [batchId],
  )
  return rows[0]?.answers ?? []
}

/** null: there is no such job. */
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
