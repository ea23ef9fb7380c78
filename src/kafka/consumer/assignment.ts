/**
 * Places every assigned partition. It stays paused until it has been moved to the position of the journal, and for as long
 * as it must not be read.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  type Observable,
  retry,
  Subject,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs'
import { messageOf } from '../../domain/error-text'
import { RestoredDatabaseError } from '../../domain/restored-database'
import { retryDelayMs } from '../../domain/retry-policy'
import type { SourceBook, SourceHealth } from '../../ports/request-source'
import { type KafkaLog, reconnectPolicy } from '../kafka-client'
import { isOtherLog, type PartitionState, type Place, placeOf } from './place'

/** The part of a kafkajs consumer that is used here. */
export interface Placeable {
  pause(topics: { topic: string; partitions: number[] }[]): void
  resume(topics: { topic: string; partitions: number[] }[]): void
  seek(to: { topic: string; partition: number; offset: string }): void
}

/** How far a partition is read, as a chunk says it. */
export interface Reading {
  readonly life: number
  readonly continuesFrom: bigint | null
}

export interface AssignmentDeps {
  readonly consumer: Placeable
  readonly topic: string
  readonly states: (partitions: readonly number[]) => Observable<ReadonlyMap<number, PartitionState>>
  readonly book: Pick<SourceBook, 'skip' | 'stop'>
  /** Where each partition that is read goes on. It is kept here, and moved on by whoever reads. */
  readonly reading: Map<number, Reading>
  /** The journal has lost what was read. */
  readonly lost: (error: RestoredDatabaseError) => void
  readonly health: (health: SourceHealth) => void
  readonly log: KafkaLog
  readonly random: () => number
}

export interface Assignment {
  /** Call it synchronously when kafkajs has joined: nothing may be fetched before the journal has answered. */
  assigned(partitions: readonly number[]): void
  /** The partition cannot be read on as it was, or kafkajs is about to jump in it: pause it and ask the journal again. */
  placeAgain(partition: number): void
  /** Reports a paused partition. It stays paused until its first record lies behind `offset`. */
  unreadable(partition: number, offset: bigint, reason: string): void
  /** Reports those of its partitions that have no leader now. kafkajs reads them on by itself once they have one. */
  leaderless(partitions: readonly number[]): void
  stop(): void
}

const recheckEveryMs = 10_000

interface Hold {
  readonly reason: string
  /** Offset of the unreadable batch; null if the partition holds another log. */
  readonly unreadableAt: bigint | null
  /** It seems to hold another log than that of this life of the topic; null: there is no doubt. */
  readonly doubted: number | null
}

export const createAssignment = (deps: AssignmentDeps): Assignment => {
  const { consumer, topic, log } = deps
  let partitions: readonly number[] = []
  /** Partitions that are paused, and are placed at the next look. */
  const unplaced = new Set<number>()
  const held = new Map<number, Hold>()
  let withoutLeader: readonly number[] = []
  const look$ = new Subject<void>()

  const pause = (some: readonly number[]): void => {
    for (const partition of some) deps.reading.delete(partition)
    if (some.length > 0) consumer.pause([{ topic, partitions: [...some] }])
  }

  const noLeader = (partition: number): string =>
    `${topic}/${partition} is not read: it has no leader, because the broker that holds it is away`

  const report = (): void => {
    const reasons = [...held.values()].map(hold => hold.reason)
    for (const partition of withoutLeader)
      if (partitions.includes(partition) && !held.has(partition)) reasons.push(noLeader(partition))
    if (reasons.length > 0) deps.health({ state: 'failed', reason: reasons.join('; ') })
    else deps.health({ state: partitions.length > 0 ? 'assigned' : 'standing-by', reason: null })
  }

  const hold = (partition: number, why: Hold): void => {
    if (held.get(partition)?.reason !== why.reason) log('error', why.reason, { topic, partition })
    held.set(partition, why)
  }

  const readOn = (partition: number, from: bigint, reading: Reading): void => {
    held.delete(partition)
    deps.reading.set(partition, reading)
    consumer.seek({ topic, partition, offset: from.toString() })
    consumer.resume([{ topic, partitions: [partition] }])
  }

  const stayAt = (partition: number, reason: string, doubted: number | null): Observable<never> => {
    hold(partition, { reason, unreadableAt: null, doubted })
    return EMPTY
  }

  const act = (partition: number, state: PartitionState): Observable<unknown> => {
    const unreadableAt = held.get(partition)?.unreadableAt ?? null
    if (unreadableAt !== null && state.log.low <= unreadableAt && (state.stored?.next ?? 0n) <= unreadableAt)
      return EMPTY
    const place = placeOf(`${topic}/${partition}`, state.stored, state.log)
    if (isOtherLog(place, state, held.get(partition)?.doubted ?? null)) {
      const reason = place.kind === 'another-log' ? place.reason : (held.get(partition)?.reason ?? '')
      return concat(stayAt(partition, reason, null), deps.book.stop(topic, partition, reason))
    }
    switch (place.kind) {
      case 'at':
        readOn(partition, place.offset, place)
        return EMPTY
      case 'after-gap':
        return skip(partition, place)
      case 'another-log':
        return stayAt(partition, place.reason, state.stored?.life ?? null)
      case 'stopped':
        return stayAt(partition, place.reason, null)
      case 'lost':
        throw new RestoredDatabaseError(place.reason)
    }
  }

  const skip = (
    partition: number,
    { gap, life }: Extract<Place, { kind: 'after-gap' }>,
  ): Observable<unknown> =>
    deps.book.skip(topic, partition, gap).pipe(
      tap(() => {
        const missing = gap.to - gap.from
        log('error', `${missing} records were deleted from ${topic}/${partition} before they were read`, {
          topic,
          partition,
          offset: gap.to.toString(),
        })
        readOn(partition, gap.to, { life, continuesFrom: gap.to })
      }),
    )

  const placeAll = (partitions: readonly number[], states: ReadonlyMap<number, PartitionState>) =>
    from(partitions).pipe(
      concatMap(partition => {
        const state = states.get(partition)
        if (state === undefined && !held.has(partition))
          hold(partition, { reason: noLeader(partition), unreadableAt: null, doubted: null })
        const acting = state === undefined ? EMPTY : act(partition, state)
        return acting.pipe(tap({ complete: () => unplaced.delete(partition) }))
      }),
    )

  const look = (): Observable<unknown> =>
    defer(() => {
      const partitions = [...unplaced]
      return deps.states(partitions).pipe(
        take(1),
        concatMap(states => placeAll(partitions, states)),
        tap({ complete: report }),
      )
    }).pipe(
      retry({
        delay: (error: unknown, failures) => {
          if (error instanceof RestoredDatabaseError) throw error
          const why = messageOf(error)
          deps.health({ state: 'starting', reason: `where to read ${topic} on is not known: ${why}` })
          return timer(retryDelayMs(failures, deps.random(), reconnectPolicy))
        },
      }),
      catchError((error: unknown) => {
        if (!(error instanceof RestoredDatabaseError)) throw error
        deps.lost(error)
        return EMPTY
      }),
    )

  // A newer look covers every partition of an older one.
  const looking = look$.pipe(switchMap(() => (unplaced.size === 0 ? EMPTY : look()))).subscribe()
  const recheck = (): void => {
    if (held.size === 0 || unplaced.size > 0) return
    for (const partition of held.keys()) unplaced.add(partition)
    look$.next()
  }
  const rechecking = setInterval(recheck, recheckEveryMs)

  return {
    assigned: now => {
      partitions = [...now]
      deps.reading.clear()
      held.clear()
      unplaced.clear()
      for (const partition of now) unplaced.add(partition)
      pause(now)
      if (now.length === 0) report()
      look$.next()
    },
    placeAgain: partition => {
      if (!partitions.includes(partition)) return
      pause([partition])
      unplaced.add(partition)
      look$.next()
    },
    unreadable: (partition, offset, reason) => {
      hold(partition, {
        reason:
          `${topic}/${partition} is not read on: the record batch at offset ${offset} cannot be read ` +
          `(${reason}); delete the records up to it, or have it produced again`,
        unreadableAt: offset,
        doubted: null,
      })
      report()
    },
    leaderless: now => {
      const back = withoutLeader.some(partition => !now.includes(partition))
      const isNews = back || now.length !== withoutLeader.length
      withoutLeader = [...now]
      if (back) recheck()
      if (isNews && unplaced.size === 0) report()
    },
    stop: () => {
      looking.unsubscribe()
      clearInterval(rechecking)
    },
  }
}
