import type { PoolClient } from 'pg'
import type { Observable } from 'rxjs'
import type { Job } from '../domain/job'
import { clashReason, type JobStep, takesStep } from '../domain/job-steps'
import type { DriveJournal } from '../ports'
import { bindProviderJob } from './bind-provider-job'
import type { Guarded } from './epoch-guard'
import { dropEvidence, dropLookUps } from './keep-evidence'
import { type JobRow, loadJob, lockJob } from './load-job'
import { settleJob } from './settle-job'
import { splitJob } from './split-job'

type Steps = Pick<
  DriveJournal,
  | 'creating'
  | 'created'
  | 'adopted'
  | 'unanswered'
  | 'notCreated'
  | 'ended'
  | 'disowned'
  | 'split'
  | 'settle'
  | 'hold'
>

/** The steps of a job's lifecycle. One taken before changes nothing; one that does not fit the job's state throws. */
export const createJobSteps = (guarded: Guarded): Steps => {
  const step = (
    jobId: number,
    name: JobStep,
    take: (client: PoolClient, job: JobRow) => Promise<unknown>,
  ): Observable<void> =>
    guarded(async client => {
      const job = await lockJob(client, jobId)
      if (takesStep(jobId, job.status, name)) await take(client, job)
    })

  const bind = (
    jobId: number,
    providerJobId: string,
    foundBy: Job['foundBy'],
  ): Observable<'stored' | 'clash'> =>
    guarded(async client => {
      const job = await lockJob(client, jobId)
      if (!takesStep(jobId, job.status, 'created')) {
        if (job.providerJobId !== providerJobId) throw new Error(`job ${jobId} is ${job.providerJobId}`)
        return 'stored'
      }
      if (await bindProviderJob(client, jobId, providerJobId, foundBy)) return 'stored'
      await client.query(
        `update job set status = 'unknown', clashes_with = $3, held_at = coalesce(held_at, now()),
                        held_reason = coalesce(held_reason, $2) where job_id = $1`,
        [jobId, clashReason(providerJobId), providerJobId],
      )
      return 'clash'
    })

  return {
    creating: jobId =>
      guarded(async client => {
        const { status } = await lockJob(client, jobId)
        if (takesStep(jobId, status, 'creating')) {
          await dropLookUps(client, jobId)
          await client.query(
            `update job set status = 'creating', create_started_at = clock_timestamp(), clashes_with = null
             where job_id = $1`,
            [jobId],
          )
        }
        return loadJob(client, jobId)
      }),
    created: (jobId, providerJobId) => bind(jobId, providerJobId, null),
    adopted: (jobId, providerJobId) => bind(jobId, providerJobId, 'list'),
    unanswered: (jobId, why) =>
      step(jobId, 'unanswered', client =>
        client.query(`update job set status = 'unknown', last_error = $2 where job_id = $1`, [jobId, why]),
      ),
    notCreated: (jobId, why, refused) =>
      step(jobId, 'notCreated', client =>
        client.query(
          `update job set status = 'claimed', create_started_at = null, last_error = $2, refusals = refusals + $3
           where job_id = $1`,
          [jobId, why, refused ? 1 : 0],
        ),
      ),
    ended: (jobId, as) =>
      step(jobId, 'ended', client =>
        client.query('update job set status = $2, finished_at = now() where job_id = $1', [jobId, as]),
      ),
    disowned: jobId =>
      step(jobId, 'disowned', async client => {
        await dropEvidence(client, jobId)
        await client.query(
          `update job set status = 'unknown', not_ours = array_append(not_ours, provider_job_id), provider_job_id = null,
                          found_by = null, created_at = null, finished_at = null,
                          last_error = 'the job that was taken for it is another''s: ' || provider_job_id
           where job_id = $1`,
          [jobId],
        )
      }),
    split: (jobId, why) => step(jobId, 'split', (client, job) => splitJob(client, job, why)),
    settle: (jobId, verdicts, as) =>
      step(jobId, as === 'refused' ? 'refuse' : 'settle', (client, job) =>
        settleJob(client, job, verdicts, as),
      ),
    hold: ({ jobId, releases }, why) =>
      guarded(async client => {
        const job = await lockJob(client, jobId)
        if (job.releases !== releases) return
        if (job.status === 'refused' || job.status === 'settled')
          throw new Error(`job ${jobId} is ${job.status}: hold does not fit`)
        await client.query(
          'update job set held_at = now(), held_reason = $2 where job_id = $1 and held_at is null',
          [jobId, why],
        )
      }),
  }
}
