import {
  asyncScheduler,
  defaultIfEmpty,
  defer,
  first,
  ignoreElements,
  merge,
  type Observable,
  race,
  repeat,
  Subject,
  switchMap,
  take,
  takeLast,
  tap,
  timer,
} from 'rxjs'

/** There is nothing now. There will be something after `wakeInMs`, or, if that is null, only after a change. */
export interface Idle {
  readonly kind: 'idle'
  readonly wakeInMs: number | null
}

/** Time between the starts of two attempts at least, ms, however many changes come in. */
const COALESCE_MS = 20
/**
 * Time for which an attempt without a value counts as idle, ms. Completing without a value would end the caller's loop.
 */
const EMPTY_WAKE_MS = 1_000
/** The longest timer of the platform, ms. A longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

const isIdle = (value: { readonly kind: string }): value is Idle => value.kind === 'idle'

/**
 * Repeats `attempt`, one at a time, until its last value is not idle. Then it emits that value and completes.
 *
 * Between attempts it waits for a change or for the time that the idle attempt named. A change that comes while an
 * attempt is under way leads to another attempt, so that no wake-up is lost. Each attempt runs to its completion.
 * `changes$` may emit without need, and its completion has no effect. Errors of `changes$` and of `attempt` are passed
 * on.
 */
export const waitUntil = <T extends { readonly kind: string }>(
  attempt: Observable<T>,
  changes$: Observable<unknown>,
): Observable<Exclude<T, { readonly kind: 'idle' }>> =>
  defer(() => {
    // Number of changes so far, and at the start of the latest attempt.
    let version = 0
    let seen = 0
    let startedAt = 0
    let wakeInMs: number | null = null
    const changed$ = new Subject<void>()

    const watch$ = changes$.pipe(
      tap(() => {
        version += 1
        changed$.next()
      }),
      ignoreElements(),
    )

    const begin$ = defer(() => {
      seen = version
      startedAt = asyncScheduler.now()
      const empty: Idle = { kind: 'idle', wakeInMs: EMPTY_WAKE_MS }
      return attempt.pipe(takeLast(1), defaultIfEmpty<T, Idle>(empty))
    })

    // Every attempt starts from a timer, so that attempts which answer at once do not pile up on the stack.
    const coalesce$ = defer(() => {
      const sinceMs = asyncScheduler.now() - startedAt
      return timer(Math.min(COALESCE_MS, Math.max(0, COALESCE_MS - sinceMs)))
    })

    const pause = (): Observable<unknown> => {
      if (version !== seen) return coalesce$
      const changeOrTime$ =
        wakeInMs === null
          ? changed$
          : race(changed$, timer(Math.min(MAX_TIMER_MS, Math.max(COALESCE_MS, wakeInMs))))
      return changeOrTime$.pipe(
        take(1),
        switchMap(() => coalesce$),
      )
    }

    const attempts$ = begin$.pipe(
      tap(value => {
        wakeInMs = isIdle(value) ? value.wakeInMs : null
      }),
      repeat({ delay: pause }),
    )

    return merge(watch$, attempts$).pipe(
      first((value): value is Exclude<T, { readonly kind: 'idle' }> => !isIdle(value)),
    )
  })
