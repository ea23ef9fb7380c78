import type { PoolClient } from 'pg'
import type { Job } from '../domain/job'
import { codeOf } from './transient-error'

const uniqueViolation = '23505'

/**
 * → running, under the provider's JobId. False, with nothing done, if another job has that JobId:
 * also if it takes it at this very moment.
 */
export const bindProviderJob = async (
  client: PoolClient,
  jobId: number,
  providerJobId: string,
  foundBy: Job['foundBy'],
): Promise<boolean> => {
  await client.query('savepoint bind')
  try {
    await client.query(
      `update job set status = 'running', provider_job_id = $2, found_by = $3, clashes_with = null, created_at = now(),
                      finished_at = null, last_error = null where job_id = $1`,
      [jobId, providerJobId, foundBy],
    )
    return true
  } catch (error) {
    if (codeOf(error) !== uniqueViolation) throw error
    await client.query('rollback to savepoint bind')
    return false
  }
}
