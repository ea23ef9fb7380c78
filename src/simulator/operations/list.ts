import { failure, type Result } from '../answer'
import { type SimulatedJob, statusAt } from '../job-book'
import type { Params } from '../params'
import type { OperationHandler } from './call-context'
import { listFields } from './job-fields'

const MAX_PAGE = 200
const MAX_OFFSET = 10_000

const invalidPage = (message: string): Result => failure('iot.common.InvalidPageParams', message)

/** The page goes on below the job of this number; null: unreadable. */
const readToken = (token: string): number | null => {
  const number = Number(
    Buffer.from(token, 'base64url')
      .toString('utf8')
      .replace(/^below:/, ''),
  )
  return Number.isInteger(number) && number > 0 ? number : null
}

const tokenBelow = (number: number) => Buffer.from(`below:${number}`).toString('base64url')

const matching = (jobs: readonly SimulatedJob[], params: Params, asOf: number): SimulatedJob[] => {
  const wants = (name: string, value: string) => {
    const wanted = params.get(name) ?? ''
    return wanted === '' || wanted === value
  }
  return jobs.filter(
    job =>
      job.createdAt <= asOf &&
      wants('ProductKey', job.productKey) &&
      wants('TargetUid', job.targetUid) &&
      wants('JobId', job.jobId) &&
      wants('Status', String(statusAt(job, asOf))),
  )
}

/** Newest first. NextToken wins over CurrentPage; deep offsets are refused without it. */
export const listOperation: OperationHandler = (account, { params, at }) => {
  const asOf = at - account.options.listLagMs
  const size = Number(params.get('PageSize') ?? '')
  const page = Number(params.get('CurrentPage') ?? '1')
  const token = params.get('NextToken') ?? ''
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE) return invalidPage('PageSize must be 1 to 200.')
  if (!Number.isInteger(page) || page < 1) return invalidPage('CurrentPage must be 1 or more.')
  const below = token === '' ? Number.POSITIVE_INFINITY : readToken(token)
  if (below === null) return invalidPage('NextToken is not valid.')
  const skip = token === '' ? size * (page - 1) : 0
  if (skip > MAX_OFFSET) return invalidPage('The offset exceeds 10000: use NextToken.')
  const jobs = matching(account.book.all(), params, asOf)
  const rest = jobs.filter(job => job.number < below).slice(skip)
  const items = rest.slice(0, size)
  const last = items.at(-1)
  return {
    ok: true,
    fields: {
      Data: {
        Total: jobs.length,
        NextToken: last !== undefined && rest.length > size ? tokenBelow(last.number) : '',
        JobInfo: { items: items.map(job => listFields(job, account.options.accountUid, asOf)) },
      },
    },
  }
}
