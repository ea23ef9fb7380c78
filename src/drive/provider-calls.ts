/**
 * The way of every call to the provider. The call waits for the quota, leaves only while the lease stands, and is timed
 * and counted. A throttled answer makes every operation pause.
 */
import { asyncScheduler, concatMap, defer, type Observable, of, Subject, takeUntil, tap } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { deviceNamesOf, type Job } from '../domain/job'
import type { Whereabouts } from '../domain/look-up'
import type { RateLimiter } from '../operators/rate-limit'
import { LeaseLostError, TransientError } from '../ports/errors'
import type {
  CallFailure,
  CallResult,
  FailureKind,
  FetchedResults,
  JobApi,
  ListedJob,
  ListPage,
  ListQuery,
  Operation,
} from '../ports/job-api'

/** After a throttled call no call leaves for this long, ms. */
const throttlePauseMs = 1_000
/**
 * After a refusal for credentials, permission or bill the operation is tried once in this time, ms. Only people can cure
 * it.
 */
const accountPauseMs = 60_000

export interface ProviderCalls {
  /** `intent` is subscribed once the quota allows the call, and has to be stored before the call leaves. */
  create(intent: Observable<Job>): Observable<CallResult<{ readonly providerJobId: string }>>
  list(query: ListQuery): Observable<CallResult<ListPage>>
  query(providerJobId: string): Observable<CallResult<ListedJob>>
  detail(providerJobId: string): Observable<CallResult<{ readonly url: string | null }>>
  /** `off$` withdraws the call while it waits for the quota. Once the call has left, its answer is awaited. */
  provisioning(
    productKey: string,
    deviceName: string,
    off$: Observable<unknown>,
  ): Observable<CallResult<Whereabouts>>
  fetchResults(url: string, sent: readonly string[] | null): Observable<FetchedResults>
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
          // A look-up has a cap of its own, and may wait: it must not make the other operations wait.
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
 * The failures after which the same call may work. A refusal of the account is one of them: it says nothing about the
 * job or the device, and passes once people have seen to credentials, permission or bill.
 */
export const isPassing = ({ kind }: CallFailure): boolean => passing.has(kind)

const passing: ReadonlySet<FailureKind> = new Set(['throttled', 'not-sent', 'unanswered', 'account-refused'])

/** For List: a passing failure is thrown as `TransientError`, so that the call is done again. Others stay values. */
export const transientThrown = <T>(result: CallResult<T>): Observable<CallResult<T>> => {
  if (!result.ok && isPassing(result))
    throw new TransientError(`${result.code}: ${result.message}`, { code: result.code })
  return of(result)
}
