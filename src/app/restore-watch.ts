/**
 * Whether the database is older than what was published from it. It was then restored from a backup, or is another one
 * under the old names. Every flow stops before it starts and waits for `device-move accept-restore`, because going on
 * would send devices again and leave out results.
 */
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
import { largerOf, type RestoredDatabaseError, restoredReason } from '../domain/restored-database'
import type { Outbox } from '../ports/journal'
import type { OutcomeSink } from '../ports/outcome-sink'

export interface RestoreWatch {
  /** Runs `flow` once the database is sound, and again from its start after it was found not to be. */
  whileSound(flow: Observable<never>): Observable<never>
  /** Emits once the database is known to be sound. */
  readonly sound$: Observable<unknown>
  /** Reports that a flow has found the database older than what was published. */
  report(error: RestoredDatabaseError): void
  /** Why everything stands still, for people; null when it does not. */
  reason(): string | null
}

export interface RestoreWatchDeps {
  readonly sink: Pick<OutcomeSink, 'position'>
  readonly outbox: Pick<Outbox, 'position'>
  /** The name under which the database keeps the position. */
  readonly publisher: string
  readonly observe: Observe
  /** Repeats a look that failed, whatever the error. */
  readonly again: <T>() => MonoTypeOperatorFunction<T>
  /** Emits (and replays) once when nothing is to be started any more. */
  readonly stop$: Observable<unknown>
}

/** Pause between looks while the database is not sound, ms. */
const lookEveryMs = 5_000

/** Where nothing is published there is nothing to compare with. */
export const noRestoreWatch: RestoreWatch = {
  whileSound: flow => flow,
  sound$: of('nothing to compare'),
  report: error => {
    throw error
  },
  reason: () => null,
}

export const createRestoreWatch = (deps: RestoreWatchDeps): RestoreWatch => {
  const { sink, outbox, publisher, observe, again, stop$ } = deps
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

  // The sink is asked first: whatever it has published was in the outbox before.
  const look = defer(() => sink.position()).pipe(
    concatMap(position =>
      outbox
        .position(publisher)
        .pipe(map(({ published, end }) => restoredReason(largerOf(position, published), end))),
    ),
    take(1),
    again(),
    tap(note),
  )
  const sound$ = look.pipe(
    repeat({ delay: () => timer(lookEveryMs) }),
    filter(found => found === null),
    take(1),
    share(),
  )
  const stopped$ = stop$.pipe(
    take(1),
    map(() => 'ended' as const),
  )

  return {
    whileSound: flow =>
      defer(() => race(sound$, stopped$)).pipe(
        concatMap(how =>
          how === 'ended' ? of(how) : concat(flow, of('ended' as const)).pipe(takeUntil(found$)),
        ),
        repeat({ delay: () => race(timer(lookEveryMs), stopped$) }),
        take(1),
        ignoreElements(),
      ),
    sound$,
    report: error => note(error.message),
    reason: () => reason,
  }
}
