/** The provider's job API. `docs/delivery.md` says what is known about it and from where. */
import type { Observable } from 'rxjs'
import type { DeviceResult } from '../domain/device-results'
import type { Whereabouts } from '../domain/look-up'
import type { ListedLike } from '../domain/reconcile'
import type { RefusalKind } from '../domain/refusal'
import type { RouteFields } from '../domain/route'
import type { ResultFile } from './journal'

export type Operation = 'create' | 'detail' | 'query' | 'list' | 'provisioning'

/**
 * - `throttled`, `slots-full`: the call was certainly rejected before it ran. It can be sent again later.
 * - `not-sent`: the call certainly never reached the provider.
 * - `unanswered`: the call may have run. A read is simply done again.
 * - `batch-refused`: permanent for this batch.
 * - `account-refused`: permanent for the whole account, until people change its credentials, permissions or bill.
 * - `unknown`: the answer has an unrecognised code, which is taken neither for permanent nor for harmless.
 */
export type FailureKind = RefusalKind | 'unanswered'

export interface CallFailure {
  readonly ok: false
  readonly kind: FailureKind
  readonly code: string
  /** Free of credentials, signatures and the URLs that hold them. */
  readonly message: string
}

export type CallResult<T> = { readonly ok: true; readonly value: T } | CallFailure

/** 0 initialising, 1 running, 2 completed, 3 interrupted. */
export type ProviderStatus = 0 | 1 | 2 | 3

/** A job as List and Query show it. Nothing in it says who created it. `targetInstanceIds` is sorted. */
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
  /** Only jobs of that status. */
  readonly status?: ProviderStatus
  readonly nextToken?: string
}

export type FetchedResults =
  | { readonly kind: 'rows'; readonly rows: ReadonlyMap<string, DeviceResult>; readonly file: ResultFile }
  /** The signed URL is no longer valid. Detail gives another one. */
  | { readonly kind: 'expired' }
  /** The connection broke or the server answered 5xx. Fetching again may work. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** The file has rows, and none of a device that was sent. */
  | { readonly kind: 'wrong-devices'; readonly file: ResultFile }
  /** The file has no row. */
  | { readonly kind: 'empty'; readonly file: ResultFile }
  /** There is an answer, but no result file: HTML, a truncated or too large body, or a host that is not allowed. */
  | { readonly kind: 'unreadable'; readonly message: string; readonly file: ResultFile | null }

/**
 * Each method sends one call when subscribed, emits one value and completes. The callers keep the limits. Unsubscribing
 * takes a call back if it has not left yet; the caller cannot know whether it had.
 */
export interface JobApi {
  create(
    route: RouteFields,
    deviceNames: readonly string[],
  ): Observable<CallResult<{ readonly providerJobId: string }>>
  /** One page of up to 200 jobs. */
  list(query: ListQuery): Observable<CallResult<ListPage>>
  query(providerJobId: string): Observable<CallResult<ListedJob>>
  /** A freshly signed URL of the job's result file, valid for 10 minutes; null when the answer names no file. */
  detail(providerJobId: string): Observable<CallResult<{ readonly url: string | null }>>
  /** Where one device is. */
  provisioning(productKey: string, deviceName: string): Observable<CallResult<Whereabouts>>
  /**
   * Downloads a result file. It lies in object storage, so this is no call against the quota. Rows are matched by the
   * names of the batch, `sent`; null: every row counts, since it is not known what was sent.
   */
  fetchResults(url: string, sent: readonly string[] | null): Observable<FetchedResults>
}
