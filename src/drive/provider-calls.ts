/**
 * Every call to the provider goes through here: it waits for the quota, asks whether the lease still stands, is
 * timed and counted, and makes everyone pause when the account is throttled.
 */
import { asyncScheduler, concatMap, defer, type Observable, of, Subject, takeUntil, tap } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import type { Whereabouts } from '../domain/look-up'
import type { RateLimiter } from '../operators/rate-limit'
import { LeaseLostError, TransientError } from '../ports/errors'
import type {
  CallResult,
  FailureKind,
  FetchedResults,
  JobApi,
  ListedJob,
  ListPage,
  ListQuery,
  Operation,
} from '../ports/job-api'

/** The provider asks for less: everyone waits so long. */
const throttlePauseMs = 1_000
/** Credentials, permission or bill: only people cure it, and until then each operation is tried once in so long. */
const accountPauseMs = 60_000

export interface ProviderCalls {
  /** `intent` is stored once the quota allows the call and before it leaves. */
  create(intent: Observable<Job>): Observable<CallResult<{ readonly providerJobId: string }>>
  list(query: ListQuery): Observable<CallResult<ListPage>>
  query(providerJobId: string): Observable<CallResult<ListedJob>>
  detail(providerJobId: string): Observable<CallResult<{ readonly url: string | null }>>
  /** `off$` calls it off while it waits for the quota; once it has left, its answer is awaited. */
  provisioning(
    productKey: string,
    deviceName: string,
    off$: Observable<unknown>,
  ): Observable<CallResult<Whereabouts>>
  fetchResults(url: string, sent: readonly string[]): Observable<FetchedResults>
}

export interface ProviderCallsDeps {
  readonly api: JobApi
  readonly limiter: RateLimiter<Operation>
  readonly mayCall: () => boolean
  readonly observe: Observe
}

export const createProviderCalls = ({ api, limiter, mayCall, observe }: ProviderCallsDeps): ProviderCalls => {
  const timed = <T>(operation: Operation, call: Observable<CallResult<T>>): Observable<CallResult<T>> =>
    defer(() => {
      if (!mayCall()) throw new LeaseLostError(`no ${operation} without the lease`)
      const sentAt = asyncScheduler.now()
      return call.pipe(
        tap(result => {
          const tookMs = asyncScheduler.now() - sentAt
          const [how, code] = result.ok ? ['ok', null] : [result.kind, result.code]
          observe({ kind: 'call-ended', operation, result: how, code, tookMs })
          if (result.ok) return
          // A look-up can wait, and has its own cap: the others are not to wait for it.
          const paused = operation === 'provisioning' ? operation : 'all'
          if (result.kind === 'throttled') limiter.pause(paused, throttlePauseMs)
          if (result.kind !== 'account-refused') return
          limiter.pause(operation, accountPauseMs)
          observe({ kind: 'account-refused', operation, code: result.code, pauseMs: accountPauseMs })
        }),
      )
    })

  return {
    create: intent =>
      intent.pipe(
        concatMap(job => timed('create', api.create(job.route, deviceNamesOf(job)))),
        limiter.limit('create'),
      ),
    list: query => timed('list', api.list(query)).pipe(limiter.limit('list')),
    query: providerJobId => timed('query', api.query(providerJobId)).pipe(limiter.limit('query')),
    detail: providerJobId => timed('detail', api.detail(providerJobId)).pipe(limiter.limit('detail')),
    provisioning: (productKey, deviceName, off$) =>
      defer(() => {
        const left$ = new Subject<void>()
        return defer(() => {
          left$.next()
          return timed('provisioning', api.provisioning(productKey, deviceName))
        }).pipe(limiter.limit('provisioning'), takeUntil(off$.pipe(takeUntil(left$))))
      }),
    fetchResults: (url, sent) =>
      defer(() => {
        if (!mayCall()) throw new LeaseLostError('no result file without the lease')
        return api.fetchResults(url, sent)
      }),
  }
}

/**
 * For List: throttled, unsent and unanswered become `TransientError`, to be done again. So does a refusal of the
 * account (credentials, permission, bill), which says nothing of the jobs: it is waited out. The rest stays a value.
 */
export const transientThrown = <T>(result: CallResult<T>): Observable<CallResult<T>> => {
  if (!result.ok && passing.has(result.kind))
    throw new TransientError(`${result.code}: ${result.message}`, { code: result.code })
  return of(result)
}

const passing: ReadonlySet<FailureKind> = new Set(['throttled', 'not-sent', 'unanswered', 'account-refused'])
