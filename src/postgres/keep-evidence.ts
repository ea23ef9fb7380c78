import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { PoolClient } from 'pg'
import type { LookUp } from '../domain/look-up'
import type { ResultFile } from '../ports'

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
  jobId: number,
  file: ResultFile,
  gzipped: Buffer,
): Promise<void> => {
  await client.query(insertFile, [jobId, file.contentType, file.body.byteLength, gzipped])
}

/** Answers of before a create, or about another JobId, say nothing of what the job does to its devices. */
export const dropLookUps = async (client: PoolClient, jobId: number): Promise<void> => {
  await client.query('delete from look_up where job_id = $1', [jobId])
}

/** Drops all that is kept of a job at the provider: it was another's, or counts as one. */
export const dropEvidence = async (client: PoolClient, jobId: number): Promise<void> => {
  await dropLookUps(client, jobId)
  await client.query('delete from result_file where job_id = $1', [jobId])
}

export const keepLookUps = async (
  client: PoolClient,
  jobId: number,
  lookUps: readonly LookUp[],
): Promise<void> => {
  await client.query(
    `insert into look_up (job_id, answers) values ($1, $2)
     on conflict (job_id) do update set received_at = now(), answers = excluded.answers`,
    [jobId, JSON.stringify(lookUps)],
  )
}
