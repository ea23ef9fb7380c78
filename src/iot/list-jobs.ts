import { map, type Observable } from 'rxjs'
import type { CallResult, ListedJob, ListPage, ListQuery } from '../ports'
import { type Fields, fieldsOf, listOf, textOf, wholeNumberOf } from './answer-fields'
import type { FailureClassifier } from './classify-failure'
import type { Call } from './client'
import { readListedJob } from './listed-job'

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
