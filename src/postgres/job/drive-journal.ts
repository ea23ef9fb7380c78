import type { Pool } from 'pg'
import { concatMap, defer } from 'rxjs'
import type { DriveJournal } from '../../ports/journal'
import { type ClaimOptions, claim } from '../claim/claim'
import { createGuard } from '../lease/epoch-guard'
import { compress, keepLookUps, keepResultFile, lookUpsOf } from './evidence'
import { createJobSteps } from './job-transitions'

/** The driver's side of the journal, for one epoch of the lease. */
export const createDriveJournal = (pool: Pool, epoch: bigint, options: ClaimOptions): DriveJournal => {
  const guarded = createGuard(pool, epoch)
  return {
    ...createJobSteps(guarded),
    claim: inHand => guarded(client => claim(client, inHand, options)),
    keepResultFile: (batchId, file) =>
      defer(() => compress(file.body)).pipe(
        concatMap(gzipped => guarded(client => keepResultFile(client, batchId, file, gzipped))),
      ),
    keepLookUps: (batchId, lookUps) => guarded(client => keepLookUps(client, batchId, lookUps)),
    keptLookUps: batchId => guarded(client => lookUpsOf(client, batchId)),
    setLastError: (batchId, why) =>
      guarded(async client => {
        await client.query(
          `update job set last_error = $2
           where job_id = $1 and status in ('running', 'completed', 'interrupted') and last_error is distinct from $2`,
          [batchId, why],
        )
      }),
    addCalls: (batchId, calls) =>
      guarded(async client => {
        await client.query('update job set calls = calls + $2 where job_id = $1', [batchId, calls])
      }),
    ownJobs: providerJobIds =>
      guarded(async client => {
        const { rows } = await client.query<{ id: string }>(
          'select provider_job_id as id from job where provider_job_id = any($1::text[])',
          [providerJobIds],
        )
        return new Set(rows.map(row => row.id))
      }),
    meanJobMs: () =>
      guarded(async client => {
        const { rows } = await client.query<{ ms: number | null }>(
          `select (avg(extract(epoch from finished_at - created_at)) * 1000)::float8 as ms
           from (select finished_at, created_at from job where finished_at is not null order by job_id desc limit 50) n`,
        )
        return rows[0]?.ms ?? null
      }),
  }
}
