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
  timer,
} from 'rxjs'
import type { Observe } from '../domain/flow-event'
import type { OutcomeKind } from '../domain/outcome'
import { largerOf, RestoredDatabaseError, restoredReason } from '../domain/published-position'
import { waitUntil } from '../operators/wait-until'
import type { Changes, Outbox, OutboxChunk, OutboxLimits } from '../ports/journal'
import type { OutcomeSink, SinkSession } from '../ports/outcome-sink'

export interface PublishDeps {
  readonly sink: OutcomeSink
  /** `publish-outbox.ts`: completes once drained. */
  readonly publishOutbox: (session: SinkSession) => Observable<unknown>
}
/** Any error ends the session; whoever subscribes again goes on where it stood. Completes once drained. */
export const publish$ = ({ sink, publishOutbox }: PublishDeps): Observable<never> =>
  sink.open().pipe(
    switchMap(session => concat(publishOutbox(session).pipe(ignoreElements()), of('drained'))),
    take(1),
    ignoreElements(),
  )

// One session of the sink: from where the last one left off, chunk by chunk, each remembered once it is out.

export interface PublishOutboxDeps {
  readonly outbox: Outbox
  readonly changes$: Changes
  /** Name under which the database keeps the position. */
  readonly publisher: string
  /** Of one chunk, which is one transaction of the sink. */
  readonly most: OutboxLimits
  readonly observe: Observe
  /** Emits (and replays) once when what is there now is all that is still to be published. */
  readonly drain$: Observable<unknown>
}

const countKinds = (chunk: OutboxChunk): Record<OutcomeKind, number> => {
  const counts: Record<OutcomeKind, number> = { moved: 0, failed: 0, rejected: 0, superseded: 0 }
  for (const { outcome } of chunk.outcomes) counts[outcome] += 1
  return counts
}

/** Emits a value a chunk; completes once drained. Any error ends the session: open another. */
export const createPublishOutbox = (
  deps: PublishOutboxDeps,
): ((session: SinkSession) => Observable<unknown>) => {
  const { outbox, changes$, publisher, most, observe, drain$ } = deps

  /** The sink's memory and the database's: the larger one counts, since either can lag behind the other. */
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
    let draining = false
    const drainSignal$ = drain$.pipe(
      tap(() => {
        draining = true
      }),
    )
    const look = defer(() => {
      // Asked first: the last may be settled, and the draining begin, while an answer without it is on its way.
      const isLast = draining
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
      repeat({ delay: () => timer(0) }),
      takeWhile(more => more),
    )
  }

  return session => startOf(session).pipe(concatMap(start => publishFrom(session, start)))
}
