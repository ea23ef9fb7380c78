import { failure } from '../answer'
import { statusAt } from '../job-book'
import type { OperationHandler } from './call-context'
import { jobNotFound } from './job-fields'

/** A freshly signed URL of the result file. The codes are made up: none is documented. */
export const detailOperation: OperationHandler = (account, { params, at, origin }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  if (statusAt(job, at) < 2)
    return failure('iot.distribute.JobNotFinished', 'The distribution job is not finished.')
  if (!job.fate.hasFile)
    return failure('iot.distribute.ResultNotFound', 'The distribution job has no result.')
  return { ok: true, fields: { File: account.links.make(origin, job.jobId, at) } }
}
