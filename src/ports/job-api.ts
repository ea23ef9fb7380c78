import type { Observable } from 'rxjs'
import type { Whereabouts } from '../domain/look-up'
import type { ListedLike } from '../domain/reconcile'
import type { RefusalKind } from '../domain/refusal'
import type { RouteFields } from '../domain/route'
import type { DeviceResult } from '../domain/settlement'
import type { ResultFile } from './journal'

export type Operation = 'create' | 'detail' | 'query' | 'list' | 'provisioning'
/**
 * `throttled`, `slots-full`: rejected before it ran, certainly; send again later.
 * `not-sent`: never reached the provider, certainly.
 * `unanswered`: may have run (for reads: just do it again).
 * `batch-refused`: permanent for this batch. `account-refused`: permanent for the whole account.
 * `unknown`: an unrecognised code: neither permanent nor harmless.
 */
export type FailureKind = RefusalKind | 'unanswered'
export interface CallFailure {
  readonly ok: false
  readonly kind: FailureKind
  readonly code: string
  /** Without credentials, signatures or URLs that hold them. */
  readonly message: string
}
export type CallResult<T> = { readonly ok: true; readonly value: T } | CallFailure
/** 0 initialising, 1 running, 2 completed, 3 interrupted. */
export type ProviderStatus = 0 | 1 | 2 | 3
/** A job as List and Query show it: whose it is stands nowhere. `targetInstanceIds` is sorted. */
export interface ListedJob extends ListedLike {
  readonly status: ProviderStatus
}
export interface ListPage {
  readonly jobs: readonly ListedJob[]
  readonly nextToken: string | null
  readonly total: number
}
export interface ListQuery {
  readonly productKey?: string
  readonly nextToken?: string
}
/** What the file says of one device. */
export type ResultRow = DeviceResult
export type FetchedResults =
  | { readonly kind: 'rows'; readonly rows: ReadonlyMap<string, ResultRow>; readonly file: ResultFile }
  /** The signed URL is no longer valid: ask detail again. */
  | { readonly kind: 'expired' }
  /** Worth fetching again: the connection broke, 5xx. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** A result file of other devices than those sent. */
  | { readonly kind: 'wrong-devices'; readonly file: ResultFile }
  /** A result file without a single row. */
  | { readonly kind: 'empty'; readonly file: ResultFile }
  /** There, but no result file we can read (HTML, truncated, too large, host not allowed). */
  | { readonly kind: 'unreadable'; readonly message: string; readonly file: ResultFile | null }
/**
 * The provider. Limits are not its business: the pipeline wraps each call. Completes after one value. Unsubscribing
 * takes a call back as long as it has not left; whether it had, nobody can tell then.
 */
export interface JobApi {
  create(
    route: RouteFields,
    deviceNames: readonly string[],
  ): Observable<CallResult<{ readonly providerJobId: string }>>
  /** One page of up to 200. */
  list(query: ListQuery): Observable<CallResult<ListPage>>
  query(providerJobId: string): Observable<CallResult<ListedJob>>
  /** A freshly signed URL of the job's result file, valid for 10 minutes; null: the answer names no file. */
  detail(providerJobId: string): Observable<CallResult<{ readonly url: string | null }>>
  /** Where one device is. */
  provisioning(productKey: string, deviceName: string): Observable<CallResult<Whereabouts>>
  /** Not a call against the quota: the file lies in object storage. `sent`: the names of the batch, to match rows by. */
  fetchResults(url: string, sent: readonly string[]): Observable<FetchedResults>
}
