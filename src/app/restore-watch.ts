import {
  concat,
  concatMap,
  defer,
  filter,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  type Observable,
  of,
  race,
  repeat,
  Subject,
  share,
  take,
  takeUntil,
  tap,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { largerOf, type RestoredDatabaseError, restoredReason } from '../domain/published-position'
import type { Outbox } from '../ports/journal'
import type { OutcomeSink } from '../ports/outcome-sink'

export interface RestoreWatch {
  /** Emits once the database is known not to be older than what was published; looks again every 5 s until then. */
  sound(): Observable<void>
  /** Runs `flow` once the database is sound, and again from its start after it was found not to be. */
  whileSound(flow: Observable<never>): Observable<never>
  /** Somebody else has noticed. */
  report(error: RestoredDatabaseError): void
  /** Why everything stands still; null if it does not. */
  reason(): string | null
}
export interface RestoreWatchDeps {
  readonly sink: Pick<OutcomeSink, 'position'>
  readonly outbox: Pick<Outbox, 'position'>
  readonly publisher: string
  readonly observe: Observe
  /** Repeats what failed with `TransientError`. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** Emits (and replays) once when nothing is to be started any more. */
  readonly stop$: Observable<unknown>
}
const lookEveryMs = 5_000
export const createRestoreWatch = (deps: RestoreWatchDeps): RestoreWatch => {
  const { sink, outbox, publisher, observe, stop$ } = deps
  const found$ = new Subject<void>()
  let reason: string | null = null

  const note = (next: string | null): void => {
    const before = reason
    reason = next
    if (next !== null && before === null) {
      observe({ kind: 'database-restored', why: next })
      found$.next()
    } else if (next === null && before !== null) observe({ kind: 'restore-accepted' })
  }

  // The sink first: what it has published was in the outbox by then.
  const look = defer(() => sink.position()).pipe(
    concatMap(position =>
      outbox
        .position(publisher)
        .pipe(map(({ published, end }) => restoredReason(largerOf(position, published), end))),
    ),
    take(1),
    deps.again(),
    tap(note),
  )
  const sound$ = look.pipe(
    repeat({ delay: () => timer(lookEveryMs) }),
    filter(found => found === null),
    take(1),
    map(() => undefined),
    share(),
  )
  const stopped$ = stop$.pipe(
    take(1),
    map(() => 'ended' as const),
  )

  return {
    sound: () => sound$,
    whileSound: flow =>
      defer(() => race(sound$, stopped$)).pipe(
        concatMap(how =>
          how === 'ended' ? of(how) : concat(flow, of('ended' as const)).pipe(takeUntil(found$)),
        ),
        repeat({ delay: () => race(timer(lookEveryMs), stopped$) }),
        take(1),
        ignoreElements(),
      ),
    report: error => note(error.message),
    reason: () => reason,
  }
}
