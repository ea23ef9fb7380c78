import {
  asyncScheduler,
  defer,
  identity,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  repeat,
  retry,
  share,
  timer,
} from 'rxjs'

/** The start of the look that gave a value. */
export interface Sighting {
  /** `asyncScheduler.now()` at the start, ms. What was created later may be missing, so its absence proves nothing. */
  readonly sentAt: number
}

export interface SharedPollOptions<T> {
  /** Makes one look. It is cold and completes. */
  readonly look: Observable<T>
  /** The pause from the end of one look to the start of the next, ms. It is asked for each time. */
  readonly intervalMs: () => number
  /**
   * Repeats failed looks at a pace of its own. Errors that it passes on, by default all, are repeated after
   * `intervalMs`.
   */
  readonly again?: MonoTypeOperatorFunction<T & Sighting>
  /** Called with the error of each look that is repeated after `intervalMs`. */
  readonly onError?: (error: unknown) => void
}

/**
 * One polling loop for all subscribers. It starts with a look at once when the first one subscribes, and ends when the
 * last one leaves. A look that fails is repeated, and its error reaches no subscriber. Nothing is replayed: a
 * subscriber gets the looks that end after its subscription. Such a look may have begun before it, which `sentAt`
 * shows.
 */
export const createSharedPoll = <T extends object>(
  options: SharedPollOptions<T>,
): Observable<T & Sighting> => {
  const { look, intervalMs, again = identity, onError } = options
  return defer(() => {
    const sentAt = asyncScheduler.now()
    return look.pipe(map(value => ({ ...value, sentAt })))
  }).pipe(
    // Errors are caught before `share`. Behind it, one failed look would end every subscriber's stream.
    again,
    retry({
      delay: (error: unknown) => {
        onError?.(error)
        return timer(intervalMs())
      },
    }),
    repeat({ delay: () => timer(intervalMs()) }),
    share(),
  )
}
