/** What the drive flow is made of, and what it offers. */
import type { MonoTypeOperatorFunction, Observable } from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { RefusalPolicy } from '../domain/refusal'
import type { AttemptPolicy } from '../domain/settlement'
import type { RateLimiter } from '../operators/rate-limit'
import type { JobApi, Operation } from '../ports/job-api'
import type { Changes, DriveJournal } from '../ports/journal'

export interface DrivePolicies {
  /** Jobs that may be open at once in the account, other people's included. */
  readonly quotaJobs: number
  /** How long after a create without an answer its job may still appear in List, ms. */
  readonly createSettleMs: number
  readonly attempts: AttemptPolicy
  readonly refusals: RefusalPolicy
  /** At most this many devices of one job are looked up one by one; 0: there is no bound. */
  readonly lookUpMaxDevices: number
  /** A job that runs for so many times the mean is overdue. */
  readonly overdueFactor: number
  /** How long a claim, a batch, a settlement or a look-up rests after an unforeseen error, ms. */
  readonly restMs: number
}

export interface DriverDeps {
  /** The provider, for one epoch of the lease. */
  readonly api: (mayCall: () => boolean) => JobApi
  /** Outlives epochs, since the provider still counts the calls of the last one. */
  readonly limiter: RateLimiter<Operation>
  readonly changes$: Changes
  readonly policies: DrivePolicies
  readonly observe: Observe
  /** 0 up to 1. */
  readonly random: () => number
  /** Emits (and replays) once when no new batch may be claimed. The flow completes when the calls under way have. */
  readonly stop$: Observable<unknown>
  /** Repeats a List that failed with `TransientError`, after a pause, without end. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

export interface Driver {
  /** The flow for one epoch of the lease. Emits nothing; errors only with `LeaseLostError` or `RestoredDatabaseError`. */
  drive(journal: DriveJournal, mayCall: () => boolean): Observable<never>
  /** Jobs open now: ours, those that search for bad devices among them, and other people's; null while it does not drive. */
  openJobs(): { readonly own: number; readonly searching: number; readonly foreign: number } | null
}
