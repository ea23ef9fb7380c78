/** Puts the drive flow together for one epoch of the lease: calls under the quota, slots, the account's view. */
import {
  concatMap,
  defer,
  finalize,
  type MonoTypeOperatorFunction,
  merge,
  type Observable,
  Subject,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { RefusalPolicy } from '../domain/refusal'
import type { AttemptPolicy } from '../domain/settlement'
import { createAccountView } from '../drive/account-view'
import { createContainment } from '../drive/containment'
import { createHoldHopeless } from '../drive/hold-job'
import { createProviderCalls } from '../drive/provider-calls'
import { createRunJob } from '../drive/run-job'
import { createSettleJob } from '../drive/settle-job'
import { drive$ } from '../flows/drive'
import type { RateLimiter } from '../operators/rate-limit'
import { createSlotSemaphore, type SlotSemaphore } from '../operators/slot-semaphore'
import { LeaseLostError } from '../ports/errors'
import type { JobApi, Operation } from '../ports/job-api'
import type { Changes, DriveJournal } from '../ports/journal'

export interface DriverPolicies {
  /** Jobs open at once in the account. */
  readonly quotaJobs: number
  readonly createSettleMs: number
  readonly attempts: AttemptPolicy
  readonly refusals: RefusalPolicy
  /** Single devices looked up, of one job. */
  readonly lookUpMaxDevices: number
  /** Rest of a batch after an unforeseen error, ms. */
  readonly restMs: number
  /** Moves of ended jobs kept in memory until their results are had. */
  readonly maxEndedMoves: number
}

export interface DriverDeps {
  readonly api: (mayCall: () => boolean) => JobApi
  /** Outlives epochs: the provider remembers the calls of the last one. */
  readonly limiter: RateLimiter<Operation>
  readonly changes$: Changes
  readonly policies: DriverPolicies
  readonly observe: Observe
  readonly random: () => number
  readonly stop$: Observable<unknown>
  /** Repeats a List that failed with `TransientError`, after a pause, for ever. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
}

export interface Driver {
  drive(journal: DriveJournal, mayCall: () => boolean): Observable<never>
  /** null: nothing is driven here, so nothing is known. */
  openJobs(): { readonly own: number; readonly foreign: number } | null
}

export const createDriver = (deps: DriverDeps): Driver => {
  const { api, limiter, policies, random, stop$, again } = deps
  /** An answered create frees its route for the next batch. */
  const created$ = new Subject<void>()
  const changes$ = merge(deps.changes$, created$)
  const observe: Observe = event => {
    deps.observe(event)
    if (event.kind === 'job-created') created$.next()
  }
  let slots: SlotSemaphore | null = null
  return {
    drive: (journal, mayCall) =>
      defer(() => journal.meanJobMs()).pipe(
        concatMap(meanJobMs => {
          const capacity = policies.quotaJobs
          slots = createSlotSemaphore({ capacity })
          const calls = createProviderCalls({ api: api(mayCall), limiter, mayCall, observe })
          const view = createAccountView({
            ...{ calls, slots, capacity, meanJobMs, again },
            onError: failedLook(observe),
          })
          const { createSettleMs, refusals, attempts } = policies
          const contained = createContainment({ restMs: policies.restMs, observe, stop$ })
          const runJob = createRunJob({
            journal,
            calls,
            slots,
            view,
            contained,
            observe,
            random,
            policy: refusals,
            createSettleMs,
            again,
            stop$,
          })
          const heldIfHopeless = createHoldHopeless({ journal, observe })
          const settleJob = createSettleJob({
            journal,
            calls,
            observe,
            random,
            policy: attempts,
            lookUpMaxDevices: policies.lookUpMaxDevices,
            stop$,
          })
          return drive$({
            journal,
            changes$,
            slots: capacity,
            runJob,
            settleJob: ended => settleJob(ended).pipe(heldIfHopeless(ended.job)),
            contained,
            maxEndedMoves: policies.maxEndedMoves,
            observe,
            stop$,
          })
        }),
        // Nobody drives any longer: what was counted is not known from now on.
        finalize(() => {
          slots = null
        }),
      ),
    openJobs: () => (slots === null ? null : { own: slots.ownOpen(), foreign: slots.foreignOpen() }),
  }
}

/** Whether a lease is really lost, it says itself presently; the looks go on until then. */
const failedLook =
  (observe: Observe) =>
  (error: unknown): void => {
    if (!(error instanceof LeaseLostError)) observe({ kind: 'defect', flow: 'drive', error })
  }
