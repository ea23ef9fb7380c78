import { asyncScheduler, defer, type MonoTypeOperatorFunction, retry, tap, throwError, timer } from 'rxjs'
import { type BackoffPolicy, retryDelayMs } from '../domain/retry-policy'

export interface RetryOptions {
  /** Returns false for an error that is passed on. */
  readonly shouldRetry: (error: unknown) => boolean
  readonly backoff: BackoffPolicy
  /** Gives a number from 0 up to 1. */
  readonly random: () => number
  /** Time after which a source counts as well even without a value, ms: the pauses then start over at the shortest. */
  readonly wellAfterMs?: number
  /** Called before the pause of each retry, which is `delayMs` ms. `attempt` counts the failures in a row, from 1. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
}

/**
 * Subscribes to the source again after each error, without limit. The pause before it grows with the failures in a row.
 * A value starts the count of failures anew.
 */
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
