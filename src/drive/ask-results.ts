/** One try to get an ended job's results: a link to its file, then the file. */
import { asyncScheduler, concatMap, defer, map, type Observable, of } from 'rxjs'
import type { DeviceResult, ResultsAnswer } from '../domain/device-results'
import { deviceNamesOf, type Job } from '../domain/job'
import type { CallFailure, FetchedResults } from '../ports/job-api'
import type { DriveJournal, ResultFile } from '../ports/journal'
import type { ProviderCalls } from './provider-calls'

/** A link is used for this long, ms. The provider documents that it is valid for 10 minutes. */
const linkValidMs = 9 * 60_000

export interface Results {
  readonly answer: ResultsAnswer
  readonly rows: ReadonlyMap<string, DeviceResult>
  /** What was fetched, to be kept with the job; null when nothing was. */
  readonly file: ResultFile | null
  /** What is wrong, for people; empty when nothing is. */
  readonly problem: string
}

const noRows: ReadonlyMap<string, DeviceResult> = new Map()
const without = (answer: ResultsAnswer, problem: string, file: ResultFile | null = null): Results => ({
  answer,
  rows: noRows,
  file,
  problem,
})

const ofFailure = ({ kind, code, message }: CallFailure): Results => {
  switch (kind) {
    case 'throttled':
    case 'not-sent':
    case 'unanswered':
    // Credentials, permission or bill: this says nothing about the file.
    case 'account-refused':
      return without('unavailable', `${code}: ${message}`)
    case 'slots-full':
    case 'batch-refused':
    case 'unknown':
      return without('refused', `${code}: ${message}`)
  }
}

const ofFetched = (fetched: FetchedResults): Results => {
  switch (fetched.kind) {
    case 'rows':
      return { answer: 'rows', rows: fetched.rows, file: fetched.file, problem: '' }
    case 'expired':
      return without('unavailable', 'the link to the result file has expired')
    case 'unreachable':
      return without('unavailable', fetched.message)
    case 'wrong-devices':
      return without('wrong-devices', 'the file tells of other devices only', fetched.file)
    case 'empty':
      return without('empty', 'the file has no rows', fetched.file)
    case 'unreadable':
      return without('unreadable', fetched.message, fetched.file)
  }
}

/** The link of a job to its results, kept between two tries; null: there is none that is worth another try. */
export interface KeptLink {
  link: { readonly url: string; readonly until: number } | null
}

/** Each subscription is one try. A link that is still valid is used again, since each link costs a call. */
export const createAskResults = (
  calls: Pick<ProviderCalls, 'detail' | 'fetchResults'>,
  journal: Pick<DriveJournal, 'addCalls'>,
  job: Job,
  providerJobId: string,
  kept: KeptLink,
): Observable<Results> => {
  const names = deviceNamesOf(job)

  const fetch = (url: string): Observable<Results> =>
    calls.fetchResults(url, names).pipe(
      map(fetched => {
        if (fetched.kind !== 'unreachable') kept.link = null
        return ofFetched(fetched)
      }),
    )

  const askLink = defer(() => calls.detail(providerJobId)).pipe(
    concatMap(result => journal.addCalls(job.batchId, 1).pipe(map(() => result))),
    concatMap(result => {
      if (!result.ok) return of(ofFailure(result))
      const { url } = result.value
      if (url === null) return of(without('none', 'the provider names no result file'))
      kept.link = { url, until: asyncScheduler.now() + linkValidMs }
      return fetch(url)
    }),
  )

  return defer(() => {
    const { link } = kept
    return link !== null && asyncScheduler.now() < link.until ? fetch(link.url) : askLink
  })
}
