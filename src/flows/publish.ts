/**
 * From the outbox to the results topic, in order and each outcome once, while this process holds the lease.
 *
 * A session of the sink fences every older one. It starts where the last one left off, and publishes chunk after chunk:
 * each is one transaction of the sink, which holds results, dead letters and the position. The database remembers the
 * position too, and deletes what is published.
 *
 * Errors. Any error ends the session. Whoever subscribes again opens another, which starts at the position that the
 * sink remembers.
 */
import {
  concat,
  concatMap,
  defer,
  ignoreElements,
  map,
  merge,
  type Observable,
  of,
  repeat,
  switchMap,
  take,
  takeWhile,
  tap,
  throwIfEmpty,
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { OutcomeKind } from '../domain/outcome'
import { largerOf, RestoredDatabaseError, restoredReason } from '../domain/restored-database'
import { waitUntil } from '../operators/wait-until'
import { TransientError } from '../ports/errors'
import type { Changes, Outbox, OutboxChunk, OutboxLimits } from '../ports/journal'
import type { OutcomeSink, SinkSession } from '../ports/outcome-sink'

export interface PublishDeps {
  readonly sink: Pick<OutcomeSink, 'open'>
  readonly outbox: Outbox
  readonly changes$: Changes
  /** The name under which the database keeps the position. */
  readonly publisher: string
  /** The most that one chunk, and so one transaction of the sink, may hold. */
  readonly most: OutboxLimits
  readonly observe: Observe
  /** Emits (and replays) once when what the outbox holds then is all that is still to be published. */
  readonly drain$: Observable<unknown>
}

/**
 * Completes once drained. Throws `RestoredDatabaseError` when more was published than the outbox ever held, which
 * means that the database was restored from a backup.
 */
export const publish$ = (deps: PublishDeps): Observable<never> => {
  const { sink, outbox, changes$, publisher, most, observe, drain$ } = deps

  /** The sink's position or the database's, whichever is larger: either may lag behind the other. */
  const startOf = (session: SinkSession): Observable<bigint> =>
    outbox.position(publisher).pipe(
      map(({ published, end }) => {
        const position = largerOf(session.position, published)
        const reason = restoredReason(position, end)
        if (reason !== null) throw new RestoredDatabaseError(reason)
        return position
      }),
    )

  const publishFrom = (session: SinkSession, start: bigint): Observable<unknown> => {
    let position = start
    let isDraining = false
    const drainSignal$ = drain$.pipe(
      tap(() => {
        isDraining = true
      }),
    )
    const look = defer(() => {
      // Read before the question is asked: while an answer is on its way, the last outcome may be settled and the
      // draining begin. Only an answer asked for after that shows that the outbox is empty.
      const isLast = isDraining
      return outbox.next(position, most).pipe(
        map(chunk => {
          if (chunk !== null) return { kind: 'chunk', chunk } as const
          return isLast ? ({ kind: 'drained' } as const) : ({ kind: 'idle', wakeInMs: null } as const)
        }),
      )
    })
    const publish = (chunk: OutboxChunk): Observable<boolean> =>
      session.publish(chunk).pipe(
        tap(() => {
          position = chunk.lastId
          observe({ kind: 'published', outcomes: countKinds(chunk), lastId: chunk.lastId })
        }),
        concatMap(() => outbox.published(publisher, chunk.lastId)),
        map(() => true),
      )
    return waitUntil(look, merge(changes$, drainSignal$)).pipe(
      concatMap(found => (found.kind === 'chunk' ? publish(found.chunk) : of(false))),
      // The timer keeps the stack flat: a repeat without one would nest each round in the one before.
      repeat({ delay: () => timer(0) }),
      takeWhile(hasMore => hasMore),
    )
  }

  const untilDrained = (session: SinkSession): Observable<'drained'> =>
    concat(
      startOf(session).pipe(
        concatMap(start => publishFrom(session, start)),
        ignoreElements(),
      ),
      of('drained' as const),
    )

  return sink.open().pipe(
    switchMap(untilDrained),
    take(1),
    throwIfEmpty(() => new TransientError('the session ended before all outcomes were published')),
    ignoreElements(),
  )
}

const countKinds = (chunk: OutboxChunk): Record<OutcomeKind, number> => {
  const counts: Record<OutcomeKind, number> = { moved: 0, failed: 0, rejected: 0, superseded: 0 }
  for (const { outcome } of chunk.outcomes) counts[outcome] += 1
  return counts
}
