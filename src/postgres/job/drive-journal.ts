/** The driver's side of the journal: the claim, the steps of a job's lifecycle, and what is kept with a job. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Pool, PoolClient } from 'pg'
import { concatMap, defer, filter, type Observable } from 'rxjs'
import { canTransition, clashReason, type Job, type JobTransition } from '../../domain/job'
import type { DriveJournal } from '../../ports/journal'
import { type ClaimOptions, createClaims } from '../claim/claim'
import { createGuard } from '../session/transaction'
import { bindProviderJob, dropFiles, type JobRow, loadJob, lockJob, readMeanJobMs } from './job-row'
import { holdRefusedRoute, releaseRefusedRoute } from './route-hold'
import { halveOtherHalf, searchStep, splitJob } from './search-pieces'
import { settleJob } from './store-settlement'
import { nextUntold, settleLookedUp, untoldMoves } from './untold'

/** A large file takes a while, and a transaction would count as idle meanwhile, so this comes before the transaction. */
const compress: (body: Uint8Array) => Promise<Buffer> = promisify(gzip)

// The latest file stands in the row, and those before it in `earlier`, in the order in which they were first read. The same
// files are read again after a restart; a file that is there already is not kept twice.
const insertFile = `
  insert into result_file as kept (job_id, content_type, bytes, gzipped) values ($1, $2, $3, $4)
  on conflict (job_id) do update set received_at = now(), content_type = excluded.content_type, bytes = excluded.bytes,
    gzipped = excluded.gzipped, earlier = kept.earlier || kept.gzipped
  where kept.gzipped <> excluded.gzipped and not excluded.gzipped = any (kept.earlier)`

/**
 * The driver's side of the journal, for one epoch of the lease. A step of a job's lifecycle that was taken before changes
 * nothing; a step that does not fit the job's state throws.
 */
export const createDriveJournal = (pool: Pool, epoch: bigint, options: ClaimOptions): DriveJournal => {
  const guarded = createGuard(pool, epoch)
  const claim = createClaims(options)

  const step = (
    batchId: number,
    name: JobTransition,
    take: (client: PoolClient, job: JobRow) => Promise<unknown>,
  ): Observable<void> =>
    guarded(async client => {
      const job = await lockJob(client, batchId)
      if (canTransition(batchId, job.status, name)) await take(client, job)
    })

  const bind = (
    batchId: number,
    providerJobId: string,
    foundBy: Job['foundBy'],
  ): Observable<'stored' | 'clash'> =>
    guarded(async client => {
      const job = await lockJob(client, batchId)
      if (!canTransition(batchId, job.status, 'created')) {
        if (job.providerJobId !== providerJobId) throw new Error(`job ${batchId} is ${job.providerJobId}`)
        return 'stored'
      }
      if (await bindProviderJob(client, batchId, providerJobId, foundBy)) {
        if (job.isRouteRefused) await releaseRefusedRoute(client, job.routeId)
        if (foundBy === null && job.part === 'piece') await halveOtherHalf(client, job)
        return 'stored'
      }
      await client.query(
        `update job set status = 'unknown', clashes_with = $3, held_at = coalesce(held_at, now()),
                        held_reason = coalesce(held_reason, $2) where job_id = $1`,
        [batchId, clashReason(providerJobId), providerJobId],
      )
      return 'clash'
    })

  return {
    claim: (inHand, mayTakePiece = false) => guarded(client => claim(client, inHand, mayTakePiece)),
    load: batchId => guarded(client => loadJob(client, batchId)),
    creating: batchId =>
      guarded(async client => {
        const { status, providerJobId } = await lockJob(client, batchId)
        // An operator has cancelled it.
        if (status === 'settled' && providerJobId === null) return null
        if (canTransition(batchId, status, 'creating')) {
          await client.query(
            `update job set status = 'creating', create_started_at = clock_timestamp(), clashes_with = null
             where job_id = $1`,
            [batchId],
          )
        }
        return loadJob(client, batchId)
      }).pipe(filter(job => job !== null)),
    created: (batchId, providerJobId) => bind(batchId, providerJobId, null),
    adopted: (batchId, providerJobId) => bind(batchId, providerJobId, 'list'),
    unanswered: (batchId, why) =>
      step(batchId, 'unanswered', client =>
        client.query(`update job set status = 'unknown', last_error = $2 where job_id = $1`, [batchId, why]),
      ),
    notCreated: (batchId, why, refused) =>
      step(batchId, 'notCreated', client =>
        client.query(
          `update job set status = 'claimed', create_started_at = null, last_error = $2, refusals = refusals + $3
           where job_id = $1`,
          [batchId, why, refused ? 1 : 0],
        ),
      ),
    markEnded: ({ batchId, releases }, as) =>
      guarded(async client => {
        const job = await lockJob(client, batchId)
        if (job.releases !== releases) return false
        if (canTransition(batchId, job.status, 'markEnded'))
          await client.query('update job set status = $2, finished_at = now() where job_id = $1', [
            batchId,
            as,
          ])
        return true
      }),
    isResolved: ({ batchId, releases }) =>
      guarded(async client => {
        const { rows } = await client.query<{ releases: number }>(
          'select releases from job where job_id = $1',
          [batchId],
        )
        return rows[0]?.releases !== releases
      }),
    unadopted: batchId =>
      step(batchId, 'unadopted', async client => {
        await dropFiles(client, batchId)
        await client.query(
          `update job set status = 'unknown', not_ours = array_append(not_ours, provider_job_id), provider_job_id = null,
                          found_by = null, created_at = null, finished_at = null,
                          last_error = 'the job that was taken for it is another''s: ' || provider_job_id
           where job_id = $1`,
          [batchId],
        )
      }),
    split: (batchId, why) => step(batchId, 'split', (client, job) => splitJob(client, job, why)),
    search: (batchId, searching, why) =>
      guarded(async client => {
        const job = await lockJob(client, batchId)
        const step = searching.kind === 'set-aside' ? 'notCreated' : 'split'
        if (!canTransition(batchId, job.status, step)) return batchId
        if (job.isRouteRefused) await releaseRefusedRoute(client, job.routeId)
        return searchStep(client, job, searching, why)
      }),
    holdRoute: (batchId, why) =>
      step(batchId, 'notCreated', (client, job) => holdRefusedRoute(client, job, why)),
    settle: (batchId, verdicts, as, leave) =>
      step(batchId, as === 'refused' ? 'refuse' : 'settle', async (client, job) => {
        if (as === 'refused' && job.isRouteRefused) await releaseRefusedRoute(client, job.routeId)
        const open = await settleJob(client, job, verdicts, { as, mayLeave: leave !== undefined })
        if (open > 0)
          await client.query('update job set hold_untold = $2 where job_id = $1', [
            batchId,
            leave?.holdUntold,
          ])
      }),
    nextUntold: () => guarded(nextUntold),
    untoldMoves: (batchId, devices) =>
      guarded(async client => {
        const job = await lockJob(client, batchId)
        return job.status === 'looking-up' ? untoldMoves(client, job, devices) : []
      }),
    settleLookedUp: (batchId, lookUps, verdicts) =>
      guarded(async client => {
        const job = await lockJob(client, batchId)
        return canTransition(batchId, job.status, 'settleLookedUp')
          ? settleLookedUp(client, job, lookUps, verdicts)
          : 0
      }),
    hold: ({ batchId, releases }, why) =>
      guarded(async client => {
        const job = await lockJob(client, batchId)
        if (job.releases !== releases) return
        if (job.status === 'refused' || job.status === 'settled')
          throw new Error(`job ${batchId} is ${job.status}: hold does not fit`)
        await client.query(
          'update job set held_at = now(), held_reason = $2 where job_id = $1 and held_at is null',
          [batchId, why],
        )
      }),
    keepResultFile: (batchId, { body, contentType }) =>
      defer(() => compress(body)).pipe(
        concatMap(gzipped =>
          guarded(async client => {
            await client.query(insertFile, [batchId, contentType, body.byteLength, gzipped])
          }),
        ),
      ),
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
    meanJobMs: () => guarded(readMeanJobMs),
  }
}
