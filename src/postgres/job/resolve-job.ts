/** What an operator decides about one job that is held, overdue or looked up: adopt, absent, again, fail or resend. */
import type { Pool, PoolClient } from 'pg'
import type { Observable } from 'rxjs'
import type { BatchMove, JobStatus } from '../../domain/job'
import { overdueAfterMs } from '../../domain/job-length'
import { givenUp, type HeldJob, misfit, type Resolution } from '../../domain/resolution'
import { resentVerdicts } from '../../domain/settlement'
import { inTransaction } from '../session/transaction'
import { notifyChange } from '../shared-sql'
import { bindProviderJob, dropFiles, type JobRow, lockJob, readMeanJobMs } from './job-row'
import { settleJob } from './store-settlement'
import { forgetUntold, openMovesOfJob } from './untold'

export type Resolved =
  /**
   * `was`: the status it had. `devices`: how many of its devices had no outcome. `runsAs`: the JobId of a job that was not
   * held, and that List may still show.
   */
  | {
      readonly kind: 'resolved'
      readonly was: JobStatus
      readonly devices: number
      readonly runsAs: string | null
    }
  /** There is no such job, or the resolution does not fit it. Nothing is changed. */
  | { readonly kind: 'refused'; readonly why: string }

const refused = (batchId: number, why: string): Resolved => ({
  kind: 'refused',
  why: `Job ${batchId}: ${why}.`,
})

const notify = `select ${notifyChange}`

const release = async (client: PoolClient, batchId: number): Promise<void> => {
  await client.query(
    'update job set held_at = null, held_reason = null, held_with_route = false, releases = releases + 1 where job_id = $1',
    [batchId],
  )
  await client.query(notify)
}

const adopt = async (client: PoolClient, batchId: number, providerJobId: string): Promise<string | null> => {
  if (await bindProviderJob(client, batchId, providerJobId, 'operator')) {
    await dropFiles(client, batchId)
    return null
  }
  const { rows } = await client.query<{ owner: number }>(
    'select job_id::float8 as owner from job where provider_job_id = $1',
    [providerJobId],
  )
  return `JobId ${providerJobId} is already that of job ${rows[0]?.owner}`
}

// The job of an overdue batch may be in List for ever, and is never to be taken for this one's again.
const setAbsent = `
  update job set not_ours = case when held_at is null then array_append(not_ours, provider_job_id) else not_ours end,
                 status = 'claimed', create_started_at = null, provider_job_id = null, found_by = null, clashes_with = null,
                 created_at = null, finished_at = null,
                 last_error = 'an operator found that it does not exist at the provider'
  where job_id = $1`

const giveUp = async (client: PoolClient, job: JobRow, open: readonly BatchMove[]): Promise<void> => {
  const { status, endedAs } = job
  const as = endedAs ?? (status === 'completed' || status === 'interrupted' ? status : 'abandoned')
  await settleJob(client, job, givenUp(status, open), { as, mayLeave: false })
}

const sendAgain = async (
  client: PoolClient,
  job: JobRow,
  open: readonly BatchMove[],
  maxAttempts: number,
): Promise<void> => {
  const as = (job.endedAs ?? job.status) === 'interrupted' ? 'interrupted' : 'completed'
  await settleJob(client, job, resentVerdicts(open, as, maxAttempts), { as, mayLeave: false })
}

export interface ResolveLimits {
  /** A job that runs for so many times the mean is overdue. */
  readonly overdueFactor: number
  /** Attempts of a move, the first included. */
  readonly maxAttempts: number
}

type ResolvableRow = Omit<HeldJob, 'isOverdue'> & {
  readonly providerJobId: string | null
  readonly ageMs: number | null
}

const resolve = async (
  client: PoolClient,
  batchId: number,
  resolution: Resolution,
  { overdueFactor, maxAttempts }: ResolveLimits,
): Promise<Resolved> => {
  const { rows } = await client.query<ResolvableRow>(
    `select status, found_by as "foundBy", not_ours as "notOurs", clashes_with as "clashesWith",
            held_at is not null as "isHeld", provider_job_id as "providerJobId",
            (extract(epoch from now() - create_started_at) * 1000)::float8 as "ageMs"
     from job where job_id = $1 for no key update`,
    [batchId],
  )
  const [job] = rows
  if (job === undefined) return refused(batchId, 'there is none, see batch_id in device_move.jobs')
  const mostMs = overdueAfterMs(await readMeanJobMs(client), overdueFactor)
  const why = misfit({ ...job, isOverdue: (job.ageMs ?? 0) >= mostMs }, resolution)
  if (why !== null) return refused(batchId, why)
  const row = await lockJob(client, batchId)
  const open = await openMovesOfJob(client, row)
  if (resolution.kind === 'adopt') {
    const clash = await adopt(client, batchId, resolution.providerJobId)
    if (clash !== null) return refused(batchId, clash)
  } else if (resolution.kind === 'absent') {
    await dropFiles(client, batchId)
    await client.query(setAbsent, [batchId])
  }
  if (resolution.kind === 'again' && job.status === 'looking-up') await forgetUntold(client, row)
  await release(client, batchId)
  if (resolution.kind === 'fail') await giveUp(client, row, open)
  if (resolution.kind === 'resend') await sendAgain(client, row, open, maxAttempts)
  const { status: was, isHeld, providerJobId } = job
  const devices = new Set(open.map(({ deviceName }) => deviceName)).size
  return { kind: 'resolved', was, devices, runsAs: isHeld || was !== 'running' ? null : providerJobId }
}

/**
 * Settles or releases one job. Any process may do it. No driver touches a held job: the hold is the last step of the driver
 * that had it in hand. The driver of an overdue job notices within one look at the account, by the count of releases, and
 * one that looks devices up finds their moves settled. The row is locked, so a claim sees it either as it was or as it is
 * afterwards.
 */
export const resolveJob = (
  pool: Pool,
  batchId: number,
  resolution: Resolution,
  limits: ResolveLimits,
): Observable<Resolved> => inTransaction(pool, client => resolve(client, batchId, resolution, limits))
