import { failure } from '../answer'
import { statusAt } from '../job-book'
import type { OperationHandler } from './call-context'
import { jobNotFound } from './job-fields'

/** Removes an ended job from the list. Of an open one nothing is documented; it is refused, with a made-up code. */
export const deleteOperation: OperationHandler = (account, { params, at }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  if (statusAt(job, at) < 2)
    return failure('iot.distribute.JobNotFinished', 'The distribution job is not finished.')
  account.book.remove(job.jobId)
  return { ok: true, fields: {} }
}
