import { AsyncSubject, asyncScheduler, defer, map, type Observable, race, Subscription, timer } from 'rxjs'
import type { CallFailure, CallResult, FailureKind, Operation } from '../../src/ports/job-api'
import { createQuotaWindow } from '../../src/tools/simulator/quota-window'
import { type CallAudit, createCallAudit } from './call-audit'

export type CallFault =
  | 'ok'
  | 'throttle'
  | 'slots-full'
  /** Runs, but the caller never hears of it. */
  | 'lose-answer'
  /** Never reaches the provider (nor the audit). */
  | 'lose-request'
  /** Taken in, held up there and run only then: an unanswered create that still appears. */
  | { readonly heldUpMs: number }
  /** Fails so, and is held up behind the gateway, which runs it yet. */
  | { readonly kind: FailureKind; readonly code: string; readonly runsInMs: number }
  /** Fails so. `ran`: only after having run. A `not-sent` one never reaches the provider (nor the audit). */
  | { readonly kind: FailureKind; readonly code: string; readonly ran?: boolean }

export interface WireOptions {
  /** One way, asked for each way. */
  readonly latencyMs: () => number
  /** The caller's deadline: a call without an answer is `unanswered` then. */
  readonly callTimeoutMs: number
  /** Calls in a sliding second beyond which a call is throttled. */
  readonly qps: { readonly shared?: number } & Partial<Readonly<Record<Operation, number>>>
  /** `n` is 1-based for its operation, in order of arrival. */
  readonly onCall: ((operation: Operation, n: number) => CallFault) | undefined
}

export interface SimulatedWire {
  readonly audit: CallAudit
  call<T>(operation: Operation, run: () => CallResult<T>): Observable<CallResult<T>>
  close(): void
}

export const failure = (kind: FailureKind, code: string, message: string): CallFailure => ({
  ok: false,
  kind,
  code,
  message,
})
const LOST = failure('unanswered', 'timeout', 'no answer before the deadline')
const THROTTLED = failure('throttled', 'Throttling.User', 'Request was denied due to user flow control.')
/** A stand-in: the provider's real code is not documented. */
export const FULL = failure('slots-full', 'iot.distribute.JobCountExceeded', 'too many jobs are open')

/**
 * Carries calls on rxjs's clock and belongs to the provider: once a call is subscribed it arrives and runs, even if
 * the caller unsubscribes before the answer. Otherwise a disposed pipeline would take back its creates.
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

  /** What the caller is told; null: nothing. */
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
    close: () => underWay.unsubscribe(),
  }
}
