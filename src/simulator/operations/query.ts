import type { OperationHandler } from './call-context'
import { jobNotFound, queryFields } from './job-fields'

export const queryOperation: OperationHandler = (account, { params, at }) => {
  const job = account.book.find(params.get('JobId') ?? '')
  if (job === undefined) return jobNotFound()
  return { ok: true, fields: { Data: queryFields(job, account.options.accountUid, at) } }
}
