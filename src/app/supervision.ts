/**
 * How the flows get over errors. A passing fault is waited out where it happens, so that nothing upstream starts over.
 * Any other error ends the flow, which starts over from what the journal holds. Each is reported once per reason, and
 * stays in the flow's health until a step succeeds.
 */
import { concat, defer, EMPTY, ignoreElements, type MonoTypeOperatorFunction, Observable, tap } from 'rxjs'
import { messageOf } from '../domain/error-text'
import type { FlowName, Observe } from '../domain/flow-event'
import type { FlowHealth, FlowState } from '../health/readiness'
import { retryWithBackoff } from '../operators/retry-with-backoff'
import { TransientError } from '../ports/errors'

/** After this time without an error the pauses start over at the shortest, ms. */
const wellAfterMs = 60_000
const firstPauseMs = 500
/** Longest pause between tries of a broker or a database, which is back within seconds once it is there, ms. */
const serverPauseMs = 5_000

/** What is retried on its own. `list` is the poll of the provider's List, whose problems are those of the provider. */
export type StepName = FlowName | 'list'

/** What each flow is doing, and which problem it has. */
export interface FlowBook {
  is(flow: FlowName, state: Exclude<FlowState, 'retrying'>): void
  /** Notes that a step has failed. False if its last failure had the same reason: the same `code`, else the same text. */
  failed(step: StepName, problem: string, code?: string | null): boolean
  /** Notes that a step has worked. True if it had failed before. */
  worked(step: StepName): boolean
  read(): Readonly<Record<FlowName, FlowHealth>>
}

export interface Supervision {
  readonly book: FlowBook
  /** Repeats what failed with `TransientError`, without end. Other errors pass through. */
  again(flow: StepName, maxPauseMs?: number): <T>() => MonoTypeOperatorFunction<T>
  /** Repeats after any error, without end. */
  supervised<T>(flow: FlowName): MonoTypeOperatorFunction<T>
  /** Marks the flow as running in the book, and completes. */
  running(flow: FlowName): Observable<never>
}

export interface SupervisionDeps {
  readonly observe: Observe
  /** 0 up to 1. */
  readonly random: () => number
}

const isTransient = (error: unknown): boolean => error instanceof TransientError

export const createSupervision = ({ observe, random }: SupervisionDeps): Supervision => {
  const book = createFlowBook()

  const retrying = <T>(
    flow: StepName,
    shouldRetry: (error: unknown) => boolean,
    backoffMaxMs: number,
  ): MonoTypeOperatorFunction<T> => {
    const backoff = retryWithBackoff<T>({
      shouldRetry,
      backoff: { backoffMs: firstPauseMs, backoffMaxMs },
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

export const createFlowBook = (): FlowBook => {
  const states = new Map<FlowName, Exclude<FlowState, 'retrying'>>()
  const problems = new Map<StepName, { readonly text: string; readonly reason: string }>()
  const read = (flow: FlowName): FlowHealth => {
    const problem = problems.get(flow)?.text ?? null
    const state = states.get(flow) ?? 'starting'
    return { state: problem !== null && state === 'running' ? 'retrying' : state, problem }
  }
  return {
    is: (flow, state) => {
      if (states.get(flow) === state) return
      states.set(flow, state)
      // A problem belongs to the state in which it occurred.
      problems.delete(flow)
      if (flow === 'drive') problems.delete('list')
    },
    failed: (step, problem, code) => {
      const reason = code ?? problem
      const isNews = problems.get(step)?.reason !== reason
      problems.set(step, { text: problem, reason })
      return isNews
    },
    worked: step => problems.delete(step),
    read: () => ({ intake: read('intake'), drive: read('drive'), publish: read('publish') }),
  }
}

/** Every flow waits for people to do something about `problem`. */
export const allStopped = (problem: string): Readonly<Record<FlowName, FlowHealth>> => {
  const stopped: FlowHealth = { state: 'stopped', problem }
  return { intake: stopped, drive: stopped, publish: stopped }
}

/** Each subscription but the first waits until `ready$` has completed. Used around work that is repeated after an error. */
export const againOnce =
  (ready$: Observable<unknown>) =>
  <T>(source: Observable<T>): Observable<T> => {
    let isFirst = true
    return defer(() => {
      if (!isFirst) return concat(ready$.pipe(ignoreElements()), source)
      isFirst = false
      return source
    })
  }

/**
 * The same port, each of its methods repeated by `again` when it fails. Every step of the journal is idempotent, so its
 * callers need not know that the database was away.
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
  // The names and the signatures are the port's own; only what its Observables do on an error differs.
  return Object.fromEntries(wrapped) as Port
}
