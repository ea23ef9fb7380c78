/**
 * Whether the database has lost commits: it was restored from a backup, a standby that lagged took over, or it is another one
 * under the old names. Every flow then stops and waits for `device-move accept-restore`, because going on would leave out
 * requests and results, and send devices again.
 *
 * It compares the database with what this process has seen in it, with what was published from it, and with how far the
 * group of the requests topic is read: before a flow starts, after each error of the database, and whenever a connection
 * meets another database than before. A process that has once compared with Kafka goes on while Kafka is away.
 */
import {
  catchError,
  concat,
  concatMap,
  defaultIfEmpty,
  defer,
  exhaustMap,
  filter,
  forkJoin,
  ignoreElements,
  type MonoTypeOperatorFunction,
  map,
  merge,
  type Observable,
  of,
  race,
  repeat,
  Subject,
  share,
  take,
  takeUntil,
  tap,
  timeout,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import { committedReason, largerOf, RestoredDatabaseError, restoredReason } from '../domain/restored-database'
import type { IntakeJournal, Outbox } from '../ports/journal'
import type { OutcomeSink } from '../ports/outcome-sink'
import type { CommittedOffsets, RequestSource } from '../ports/request-source'
import type { Soundness } from '../ports/soundness'

export interface RestoreWatch {
  /** Runs `flow` once the database is sound, and again from its start after it was found not to be. */
  whileSound(flow: Observable<never>): Observable<never>
  /** Emits once the database is known to be sound. */
  readonly sound$: Observable<unknown>
  /** Reports that a flow has found the database to have lost commits. */
  report(error: RestoredDatabaseError): void
  /** Why everything stands still, for people; null when it does not. */
  reason(): string | null
}

export interface RestoreWatchDeps {
  /** null: nothing is published, and there is only what this process has seen to compare with. */
  readonly sink: Pick<OutcomeSink, 'position'> | null
  readonly source: Pick<RequestSource, 'committed'>
  readonly outbox: Pick<Outbox, 'position'>
  readonly intakeJournal: Pick<IntakeJournal, 'positions'>
  readonly soundness: Soundness
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
/** Pause between looks while it is. What must not wait is refused by the database itself, ms. */
const watchEveryMs = 10_000
/** Every so many of these looks Kafka is asked too, since a pooler may hide that the server behind it has changed. */
const kafkaEvery = 6
/** A process that has compared with Kafka before waits this long for it, ms. */
const kafkaWithinMs = 3_000

/** What Kafka remembers; null: it is away, or there is none. */
interface Remembered {
  readonly published: bigint | null
  readonly committed: CommittedOffsets
}

export const createRestoreWatch = (deps: RestoreWatchDeps): RestoreWatch => {
  const { sink, soundness, observe, again, stop$ } = deps
  const found$ = new Subject<void>()
  let reason: string | null = null
  /** What a flow has found, until it is stored. */
  let reported: string | null = null
  let stored: string | null = null
  let hasCompared = sink === null
  let owesComparison = false

  const note = (next: string | null): void => {
    const before = reason
    reason = next
    if (next !== null && before === null) {
      observe({ kind: 'database-restored', why: next })
      found$.next()
    } else if (next === null && before !== null) observe({ kind: 'restore-accepted' })
  }

  const remembered = defer((): Observable<Remembered | null> => {
    if (sink === null) return of(null)
    const asked$ = forkJoin({ published: sink.position(), committed: deps.source.committed() })
    const isAway = () => of(null)
    return hasCompared
      ? asked$.pipe(timeout({ each: kafkaWithinMs, with: isAway }), catchError(isAway))
      : asked$
  })

  const comparedWith = ({ published, committed }: Remembered): Observable<string | null> => {
    const { clusterId, topic, offsets } = committed
    return forkJoin({
      outbox: deps.outbox.position(deps.publisher),
      positions: deps.intakeJournal.positions(clusterId, topic, [...offsets.keys()]),
    }).pipe(
      map(({ outbox, positions }) => {
        const behind = [...offsets].map(([partition, offset]) =>
          committedReason(`${topic}/${partition}`, offset, positions.get(partition)),
        )
        return (
          restoredReason(largerOf(published, outbox.published), outbox.end) ??
          behind.find(why => why !== null) ??
          null
        )
      }),
      catchError((error: unknown) => {
        // Its connection has met the database after the look at it.
        if (error instanceof RestoredDatabaseError) return of(error.message)
        throw error
      }),
    )
  }

  /** Stores a stop that this process has not stored yet. It is found again at the next look if that fails. */
  const keep = (found: string | null): Observable<string | null> => {
    const why = found ?? reported
    if (why === null || why === stored) return of(why)
    return soundness.stop(why).pipe(
      defaultIfEmpty(undefined),
      map(() => {
        stored = why
        reported = null
        return why
      }),
      catchError(() => of(why)),
    )
  }

  // Kafka is asked first: whatever it remembers was in the database before.
  const look = remembered.pipe(
    concatMap(kafka =>
      soundness.look().pipe(
        concatMap(why => (why !== null || kafka === null ? of(why) : comparedWith(kafka))),
        concatMap(keep),
        tap(why => {
          if (why === null) stored = null
          if (why === null && kafka !== null) hasCompared = true
          owesComparison = sink !== null && kafka === null
          note(why)
        }),
      ),
    ),
    take(1),
    again(),
  )
  const sound$ = look.pipe(
    repeat({ delay: () => timer(lookEveryMs) }),
    filter(why => why === null),
    take(1),
    share(),
  )
  /** Another process may have stopped the flows. What Kafka says is heard as soon as it is back. */
  const lookOn = timer(watchEveryMs, watchEveryMs).pipe(
    exhaustMap(looks =>
      owesComparison || looks % kafkaEvery === kafkaEvery - 1
        ? look
        : soundness.look().pipe(concatMap(keep), again(), tap(note)),
    ),
  )
  const watching = merge(soundness.met$.pipe(tap(note)), lookOn).pipe(ignoreElements(), share())
  const stopped$ = stop$.pipe(
    take(1),
    map(() => 'ended' as const),
  )

  return {
    whileSound: flow =>
      defer(() => race(sound$, stopped$)).pipe(
        concatMap(how =>
          how === 'ended'
            ? of(how)
            : merge(watching, concat(flow, of('ended' as const))).pipe(takeUntil(found$), take(1)),
        ),
        repeat({ delay: () => race(timer(lookEveryMs), stopped$) }),
        take(1),
        ignoreElements(),
      ),
    sound$,
    report: error => {
      reported = error.message
      note(error.message)
    },
    reason: () => reason,
  }
}
