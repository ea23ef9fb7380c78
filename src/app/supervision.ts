/** How the flows get over what fails: waited out where it happens, or started over; told once, and kept in the book. */
import { defer, EMPTY, type MonoTypeOperatorFunction, Observable, tap } from 'rxjs'
import { messageOf } from '../domain/error-text'
import type { Observe } from '../domain/flow-event'
import { createFlowBook, type FlowBook, type FlowName, type StepName } from '../health/flow-health'
import { retryWithBackoff } from '../operators/retry-with-backoff'
import { TransientError } from '../ports/errors'

/** A flow that lasted so long starts over without a long pause, ms. */
const wellAfterMs = 60_000
const firstPauseMs = 500
/** Longest pause between tries of what is back within seconds once it is there, ms. */
const serverPauseMs = 5_000

export interface Supervision {
  readonly book: FlowBook
  /** A passing fault is waited out where it happens, so that nothing upstream starts over. */
  again(flow: StepName, maxPauseMs?: number): <T>() => MonoTypeOperatorFunction<T>
  /** Anything else ends the flow, which then starts over from what the journal knows. */
  supervised<T>(flow: FlowName): MonoTypeOperatorFunction<T>
  /** Completes at once, having said so. */
  running(flow: FlowName): Observable<never>
}

export interface SupervisionDeps {
  readonly observe: Observe
  readonly random: () => number
}

const isTransient = (error: unknown): boolean => error instanceof TransientError

export const createSupervision = ({ observe, random }: SupervisionDeps): Supervision => {
  const book = createFlowBook()

  const retrying = <T>(
    flow: StepName,
    shouldRetry: (error: unknown) => boolean,
    maxMs: number,
  ): MonoTypeOperatorFunction<T> => {
    const backoff = retryWithBackoff<T>({
      shouldRetry,
      firstMs: firstPauseMs,
      maxMs,
      wellAfterMs,
      random,
      onRetry: (error, _attempt, delayMs) => {
        const why = messageOf(error)
        const code = error instanceof TransientError ? error.code : null
        observe({ kind: 'retrying', flow, why, delayMs, isNews: book.failed(flow, why, code) })
      },
    })
    return source =>
      source.pipe(
        backoff,
        tap(() => {
          if (book.worked(flow)) observe({ kind: 'recovered', flow })
        }),
      )
  }

  return {
    book,
    again:
      (flow, maxPauseMs = serverPauseMs) =>
      <T>() =>
        retrying<T>(flow, isTransient, maxPauseMs),
    supervised: flow => retrying(flow, () => true, serverPauseMs),
    running: flow =>
      defer(() => {
        book.is(flow, 'running')
        return EMPTY
      }),
  }
}

/**
 * The same port, each of its methods repeated by `again` when it fails: every step of the journal is idempotent, so
 * whoever calls it need not know that the database was away for a minute.
 */
export const resilient = <Port extends object>(
  port: Port,
  again: <T>() => MonoTypeOperatorFunction<T>,
): Port => {
  const wrapped = Object.entries(port).map(([name, member]: [string, unknown]) => {
    if (typeof member !== 'function') return [name, member]
    return [
      name,
      (...args: readonly unknown[]): unknown => {
        const result: unknown = member(...args)
        return result instanceof Observable ? result.pipe(again()) : result
      },
    ]
  })
  // Same names, same signatures: only what the Observables do on an error differs.
  return Object.fromEntries(wrapped) as Port
}
