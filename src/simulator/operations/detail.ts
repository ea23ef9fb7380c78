import { failure } from '../answer'
import { statusAt } from '../job-book'
import type { OperationHandler } from './call-context'
import { jobNotFound } from './job-fields'

/**
 * A freshly signed URL of the result file. What the provider answers for a job without one is not documented: here
 * it succeeds and names no file. The code is made up.
 */
export const detailOperation: OperationHandler = (account, { params, at, origin }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  if (statusAt(job, at) < 2)
    return failure('iot.distribute.JobNotFinished', 'The distribution job is not finished.')
  if (!job.fate.hasFile) return { ok: true, fields: {} }
  return { ok: true, fields: { File: account.links.make(origin, job.jobId, at) } }
}
