/** The way of a call to the provider in virtual time and back, with what may go wrong on it. */
import { AsyncSubject, asyncScheduler, defer, map, type Observable, race, Subscription, timer } from 'rxjs'
import type { CallFailure, CallResult, FailureKind, Operation } from '../../src/ports/job-api'
import { createQuotaWindow } from '../../src/tools/simulator/quota-window'
import { type CallAudit, createCallAudit } from './call-audit'

export type CallFault =
  | 'ok'
  | 'throttle'
  | 'slots-full'
  /** The call runs, but its answer never reaches the caller. */
  | 'lose-answer'
  /** The call never reaches the provider, so the audit does not count it. */
  | 'lose-request'
  /** The call arrives and runs only after `heldUpMs`: an unanswered create whose job appears late. */
  | { readonly heldUpMs: number }
  /** The call fails so for its caller, but runs after `runsInMs` all the same. */
  | { readonly kind: FailureKind; readonly code: string; readonly runsInMs: number }
  /** The call fails so; with `ran` it has run before. A `not-sent` call never reaches the provider or the audit. */
  | { readonly kind: FailureKind; readonly code: string; readonly ran?: boolean }

export interface WireOptions {
  /** Time one way, asked for each way, ms. */
  readonly latencyMs: () => number
  /** The caller's deadline: a call without an answer is `unanswered` then, ms. */
  readonly callTimeoutMs: number
  /** Calls in a sliding second, refused ones included, beyond which a call is throttled. */
  readonly qps: { readonly shared?: number } & Partial<Readonly<Record<Operation, number>>>
  /** Decides about each call as it arrives; `n` counts the calls of its operation from 1. */
  readonly onCall: ((operation: Operation, n: number) => CallFault) | undefined
}

export interface SimulatedWire {
  readonly audit: CallAudit
  call<T>(operation: Operation, run: () => CallResult<T>): Observable<CallResult<T>>
  stop(): void
}

export const failure = (kind: FailureKind, code: string, message: string): CallFailure => ({
  ok: false,
  kind,
  code,
  message,
})
const LOST = failure('unanswered', 'timeout', 'no answer before the deadline')
const THROTTLED = failure('throttled', 'Throttling.User', 'Request was denied due to user flow control.')
/** The code is made up, since that of the provider is not documented. */
export const FULL = failure('slots-full', 'iot.distribute.JobCountExceeded', 'too many jobs are open')

/**
 * Carries calls on rxjs's clock. The wire belongs to the provider: once a call is subscribed it arrives and runs, even if
 * the caller unsubscribes before the answer. Otherwise a pipeline that ends would take back its creates.
 */
export const createSimulatedWire = ({
  latencyMs,
  callTimeoutMs,
  qps,
  onCall,
}: WireOptions): SimulatedWire => {
  const audit = createCallAudit()
  const underWay = new Subscription()
  const asked = { create: 0, detail: 0, query: 0, list: 0, provisioning: 0 }

  const after = (ms: number, act: () => void): void => underWay.add(timer(ms).subscribe(act))
  const { shared = 0, ...caps } = qps
  const window = createQuotaWindow<Operation>(caps, shared, { refusedCount: true })

  /** The caller's answer; null: it gets none. */
  const handle = <T>(run: () => CallResult<T>, fault: CallFault): CallResult<T> | null => {
    if (fault === 'throttle') return THROTTLED
    if (fault === 'slots-full') return FULL
    if (typeof fault === 'object' && 'kind' in fault) {
      if ('runsInMs' in fault) after(fault.runsInMs, () => void run())
      else if (fault.ran) run()
      return failure(fault.kind, fault.code, `made to fail: ${fault.code}`)
    }
    const result = run()
    return fault === 'lose-answer' ? null : result
  }

  return {
    audit,
    call: <T>(operation: Operation, run: () => CallResult<T>) =>
      defer(() => {
        const answer = new AsyncSubject<CallResult<T>>()
        const reach = (fault: CallFault) => {
          const result = handle(run, fault)
          if (result === null) return
          after(latencyMs(), () => {
            answer.next(result)
            answer.complete()
          })
        }
        after(latencyMs(), () => {
          asked[operation] += 1
          const fault = onCall?.(operation, asked[operation]) ?? 'ok'
          if (fault === 'lose-request') return
          if (typeof fault === 'object' && 'kind' in fault && fault.kind === 'not-sent') return reach(fault)
          audit.record(operation)
          if (window.arrive(operation, asyncScheduler.now()) !== null) reach('throttle')
          else if (typeof fault === 'object' && 'heldUpMs' in fault) after(fault.heldUpMs, () => reach('ok'))
          else reach(fault)
        })
        return race(answer, timer(callTimeoutMs).pipe(map(() => LOST)))
      }),
    stop: () => underWay.unsubscribe(),
  }
}
