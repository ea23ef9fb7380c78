import { asyncScheduler, defer, type MonoTypeOperatorFunction, retry, tap, throwError, timer } from 'rxjs'
import { type BackoffPolicy, retryDelayMs } from '../domain/retry-policy'

export interface RetryOptions {
  /** False: the error is passed on. */
  readonly shouldRetry: (error: unknown) => boolean
  readonly backoff: BackoffPolicy
  /** 0 up to 1. */
  readonly random: () => number
  /** A source that lasted so long, even without a value, was well: the pauses start over at the shortest, ms. */
  readonly wellAfterMs?: number
  /** Called at each retry, before its pause of `delayMs`. `attempt` counts the failures in a row, from 1. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
}

/** Subscribes again after an error, without end, after a pause that grows with the failures in a row. A value resets it. */
export const retryWithBackoff =
  <T>(options: RetryOptions): MonoTypeOperatorFunction<T> =>
  source =>
    defer(() => {
      const { wellAfterMs = Number.POSITIVE_INFINITY } = options
      let failures = 0
      let startedAt = 0
      const started = defer(() => {
        startedAt = asyncScheduler.now()
        return source
      })
      return started.pipe(
        tap(() => {
          failures = 0
        }),
        retry({
          delay: (error: unknown) => {
            if (!options.shouldRetry(error)) return throwError(() => error)
            if (asyncScheduler.now() - startedAt >= wellAfterMs) failures = 0
            failures += 1
            const delayMs = retryDelayMs(failures, options.random(), options.backoff)
            options.onRetry?.(error, failures, delayMs)
            return timer(delayMs)
          },
        }),
      )
    })
