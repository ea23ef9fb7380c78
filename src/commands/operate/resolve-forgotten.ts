/** `device-move resolve` for what a restored database has forgotten: a job by its JobId, or the list of all jobs. */
import { firstValueFrom } from 'rxjs'
import { providerJobIdOf, type Resolution } from '../../domain/resolution'
import {
  type ForgottenResolution,
  goOnUnlisted,
  resolveForgotten,
} from '../../postgres/job/resolve-forgotten'
import type { Pool } from '../../postgres/session/session'
import { CommandError, exitCode, usageError } from '../exit-code'

/** Stands for the list of the provider's jobs after a restore. */
const restoreWord = 'restore'

const again = 'Devices that such a job has moved are moved a second time.'

const unlisted = async (pool: Pool): Promise<number> => {
  if (!(await firstValueFrom(goOnUnlisted(pool))))
    throw new CommandError('No restore waits for the list of the jobs of the provider.')
  console.log(`It goes on without the jobs that were made since the backup. ${again}`)
  return exitCode.done
}

const one = async (pool: Pool, jobId: string, resolution: ForgottenResolution): Promise<number> => {
  const devices = await firstValueFrom(resolveForgotten(pool, jobId, resolution))
  if (devices === null)
    throw new CommandError(
      `No job ${jobId} that was made since the backup is held: see \`device-move status\`.`,
    )
  console.log(
    resolution === 'absent'
      ? `Job ${jobId} (${devices} devices) keeps nothing waiting any longer. Its devices are sent unless its file told of them. ${again}`
      : `The results of job ${jobId} (${devices} devices) are asked for once more.`,
  )
  return exitCode.done
}

export const resolveForgottenJob = (pool: Pool, job: string, { kind }: Resolution): Promise<number> => {
  if (kind !== 'absent' && kind !== 'again')
    return usageError('A job that was made since the backup is resolved with --absent or --again.')
  if (job !== restoreWord) return one(pool, job, kind)
  return kind === 'absent' ? unlisted(pool) : usageError('The jobs are listed again by themselves.')
}

/** Shorter ones are no JobId of the provider, whose ids have more than 20 characters. */
const shortest = 8

/** Whether the argument stands for something that a restored database has forgotten, and is not our number of a job. */
export const isForgotten = (job: string): boolean =>
  job === restoreWord || (job.length >= shortest && !/^\d+$/.test(job) && providerJobIdOf(job) !== null)
