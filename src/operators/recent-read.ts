import {
  asyncScheduler,
  catchError,
  defer,
  map,
  type Observable,
  of,
  race,
  share,
  take,
  tap,
  timer,
} from 'rxjs'

/** What was read last. */
export interface Answer<T> {
  readonly value: T
  /** Age at which it is handed out: the time since its read began, ms. */
  readonly ageMs: number
}

/**
 * - `recent`: read just now, or so short a time ago that a new read would cost more than it tells.
 * - `late`: the read under way takes long. `last` is the answer before it, and null if there has been none.
 * - `failed`: the read has failed. `last` is as above.
 */
export type Recent<T> =
  | { readonly kind: 'recent'; readonly last: Answer<T> }
  | { readonly kind: 'late'; readonly last: Answer<T> | null; readonly forMs: number }
  | { readonly kind: 'failed'; readonly last: Answer<T> | null; readonly error: unknown }

export interface RecentReadOptions {
  /** An answer is handed out again for as long as its read took times this number. */
  readonly keepFactor: number
  /** But for no longer than this, ms. */
  readonly keepMostMs: number
  /** Whoever asks waits this long for a read, ms: while there is an earlier answer, and before the first. */
  readonly patienceMs: number
  readonly firstPatienceMs: number
}

interface Kept<T> {
  readonly value: T
  readonly startedAt: number
  readonly endedAt: number
}

/**
 * Shares one read among all who ask. At most one is under way at a time, however many ask; a read that all have stopped
 * waiting for goes on, and its answer serves the next. So readers cost a bounded share of one connection.
 * @param read is cold, emits one value, and ends by itself after some time, whatever happens
 */
export const createRecentRead = <T>(
  read: Observable<T>,
  { keepFactor, keepMostMs, patienceMs, firstPatienceMs }: RecentReadOptions,
): Observable<Recent<T>> => {
  let kept: Kept<T> | null = null
  let startedAt = 0

  const last = (): Answer<T> | null =>
    kept === null ? null : { value: kept.value, ageMs: asyncScheduler.now() - kept.startedAt }

  const underWay = defer(() => {
    startedAt = asyncScheduler.now()
    return read.pipe(
      take(1),
      tap(value => {
        kept = { value, startedAt, endedAt: asyncScheduler.now() }
      }),
    )
  }).pipe(share({ resetOnRefCountZero: false }))

  const isRecent = ({ startedAt: began, endedAt }: Kept<T>): boolean =>
    asyncScheduler.now() - endedAt <= Math.min(keepMostMs, (endedAt - began) * keepFactor)

  return defer((): Observable<Recent<T>> => {
    const now = last()
    if (now !== null && kept !== null && isRecent(kept)) return of({ kind: 'recent', last: now })
    const answered = underWay.pipe(
      map(
        (value): Recent<T> => ({ kind: 'recent', last: { value, ageMs: asyncScheduler.now() - startedAt } }),
      ),
      catchError((error: unknown) => of<Recent<T>>({ kind: 'failed', last: last(), error })),
    )
    const late = timer(now === null ? firstPatienceMs : patienceMs).pipe(
      map((): Recent<T> => ({ kind: 'late', last: last(), forMs: asyncScheduler.now() - startedAt })),
    )
    return race(answered, late)
  })
}
