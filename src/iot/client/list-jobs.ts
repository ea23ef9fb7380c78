import { map, type Observable } from 'rxjs'
import type { CallResult, ListedJob, ListPage, ListQuery, ProviderStatus } from '../../ports/job-api'
import { type Fields, fieldsOf, listOf, textOf, wholeNumberOf } from './answer-fields'
import type { FailureClassifier } from './failure-codes'
import type { Call } from './provider-client'

const statusOf = (value: number | null): ProviderStatus | null =>
  value === 0 || value === 1 || value === 2 || value === 3 ? value : null

/** A job as List and Query write it; null if anything we decide by is missing or is not what it should be. */
export const readListedJob = (item: unknown): ListedJob | null => {
  const fields = fieldsOf(item)
  const providerJobId = textOf(fields, 'JobId')
  const status = statusOf(wholeNumberOf(fields, 'Status'))
  const productKey = textOf(fields, 'ProductKey')
  const sourceInstanceId = textOf(fields, 'SourceInstanceId')
  const strategy = wholeNumberOf(fields, 'Strategy')
  const total = wholeNumberOf(fields, 'Total')
  const createdAt = wholeNumberOf(fields, 'GmtCreate')
  if (providerJobId === null || status === null || productKey === null || sourceInstanceId === null)
    return null
  if (strategy === null || total === null || createdAt === null) return null

  // Documented inside a wrapper of its own name in lower case; a bare list is read as well.
  const targetInstanceIds = listOf(fields.TargetInstanceConfigs)
    .map(config => textOf(fieldsOf(config), 'TargetInstanceId'))
    .filter(id => id !== null)
    .sort()
  const targetUid = textOf(fields, 'TargetUid')
  return {
    providerJobId,
    status,
    productKey,
    sourceInstanceId,
    strategy,
    targetInstanceIds,
    targetUid,
    total,
    createdAt,
  }
}

/** The most the provider allows. */
const pageSize = 200

const readPage = (body: Fields): ListPage | null => {
  const data = fieldsOf(body.Data)
  const jobs: ListedJob[] = []
  for (const item of listOf(data.JobInfo)) {
    const job = readListedJob(item)
    // Left out it would count as absent, and an absent job is created again.
    if (job === null) return null
    jobs.push(job)
  }
  const total = wholeNumberOf(data, 'Total')
  // A page that shows nothing and does not say that there is nothing proves nothing.
  if (total === null && jobs.length === 0) return null
  return { jobs, nextToken: textOf(data, 'NextToken'), total: total ?? jobs.length }
}

/** ListDeviceDistributeJob: one page of the account's jobs, other people's included. */
export const listJobs =
  (call: Call, classify: FailureClassifier) =>
  (query: ListQuery): Observable<CallResult<ListPage>> =>
    call({
      action: 'ListDeviceDistributeJob',
      query: {
        PageSize: String(pageSize),
        ...(query.productKey === undefined ? {} : { ProductKey: query.productKey }),
        ...(query.nextToken === undefined ? { CurrentPage: '1' } : { NextToken: query.nextToken }),
      },
    }).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const page = readPage(answer.value)
        return page
          ? { ok: true, value: page }
          : classify.ofUselessAnswer('unknown', 'the list of jobs is not as documented')
      }),
    )

/** QueryDeviceDistributeJob: one job, where List is refused. */
export const queryJob =
  (call: Call, classify: FailureClassifier) =>
  (providerJobId: string): Observable<CallResult<ListedJob>> =>
    call({ action: 'QueryDeviceDistributeJob', query: { JobId: providerJobId } }).pipe(
      map(answer => {
        if (!answer.ok) return answer
        const job = readListedJob(answer.value.Data)
        return job
          ? { ok: true, value: job }
          : classify.ofUselessAnswer('unknown', 'the job is not as documented')
      }),
    )
