import { asyncScheduler, defer, type MonoTypeOperatorFunction, retry, tap, throwError, timer } from 'rxjs'

export interface BackoffOptions {
  /** False: the error is passed on. */
  readonly shouldRetry: (error: unknown) => boolean
  /** Longest pause before the first retry, ms; it doubles with each retry in a row. */
  readonly firstMs: number
  /** No pause is longer, ms. */
  readonly maxMs: number
  /** 0 up to 1. */
  readonly random: () => number
  /** Who lasted so long was well, even without a value: the growth starts over, ms. */
  readonly wellAfterMs?: number
  /** Told of each retry before its pause. `attempt` counts the failures in a row, from 1. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void
}

/**
 * Subscribes again after an error, for ever, with exponentially growing pauses: each between half and the whole of
 * what is due, so that those who failed together do not come back together. A value resets the growth.
 */
export const retryWithBackoff =
  <T>(options: BackoffOptions): MonoTypeOperatorFunction<T> =>
  source =>
    defer(() => {
      const { wellAfterMs = Number.POSITIVE_INFINITY } = options
      let failures = 0
      let startedAt = 0
      const begun = defer(() => {
        startedAt = asyncScheduler.now()
        return source
      })
      return begun.pipe(
        tap(() => {
          failures = 0
        }),
        retry({
          delay: (error: unknown) => {
            if (!options.shouldRetry(error)) return throwError(() => error)
            if (asyncScheduler.now() - startedAt >= wellAfterMs) failures = 0
            failures += 1
            const wholeMs = Math.min(options.maxMs, options.firstMs * 2 ** (failures - 1))
            const delayMs = Math.round(wholeMs * (0.5 + 0.5 * options.random()))
            options.onRetry?.(error, failures, delayMs)
            return timer(delayMs)
          },
        }),
      )
    })
