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

/** When the look behind a value was begun. */
export interface Sighting {
  /** asyncScheduler.now(). What was created after that may be missing, so its absence proves nothing. */
  readonly sentAt: number
}

export interface SharedPollOptions<T> {
  /** One look: cold, completes. */
  readonly look: Observable<T>
  /** Pause from the end of one look to the next, ms; asked each time. */
  readonly intervalMs: () => number
  /** Does a failed look again at a pace of its own. What it passes on, by default all, is done again after `intervalMs`. */
  readonly again?: MonoTypeOperatorFunction<T & Sighting>
  /** Told of each look that is done again after `intervalMs`. */
  readonly onError?: (error: unknown) => void
}

/**
 * One polling loop for all subscribers, running while there is at least one; the first one sets off a look at once.
 * A look that fails is done again and reaches nobody. Nothing old is replayed: a subscriber gets
 * looks that end after it came (which may have begun before: compare `sentAt`).
 */
export const createSharedPoll = <T extends object>(
  options: SharedPollOptions<T>,
): Observable<T & Sighting> => {
  const { look, intervalMs, again = identity, onError } = options
  return defer(() => {
    const sentAt = asyncScheduler.now()
    return look.pipe(map(value => ({ ...value, sentAt })))
  }).pipe(
    // Inside `share`: outside, one failed look would end every job that listens.
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
