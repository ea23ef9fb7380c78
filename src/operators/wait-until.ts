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

/** Nothing now. Something will be by itself after `wakeInMs`; null: not without a change. */
export interface Idle {
  readonly kind: 'idle'
  readonly wakeInMs: number | null
}

/** Attempts start at least this far apart, however many changes come in. */
const COALESCE_MS = 20
/** An attempt that ends without a value counts as idle for so long: completing empty would end the loops above. */
const EMPTY_WAKE_MS = 1_000
/** A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

const isIdle = (value: { readonly kind: string }): value is Idle => value.kind === 'idle'

/**
 * Repeats `attempt`, one at a time, until its (last) value is not idle; emits that value once and completes.
 * Between attempts it waits for a change or for the time the idle attempt named. A change that comes while an
 * attempt is under way makes it attempt again: what was filled behind the attempt's back is not missed. Each attempt
 * is let run to its completion. `changes$` may be spurious; its completion means nothing, its error is passed on,
 * as is an error of `attempt`.
 */
export const waitUntil = <T extends { readonly kind: string }>(
  attempt: Observable<T>,
  changes$: Observable<unknown>,
): Observable<Exclude<T, { readonly kind: 'idle' }>> =>
  defer(() => {
    // How many changes there were, now and when the latest attempt began.
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

    // Always through a timer, so that attempts which answer at once do not pile up on the stack.
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
