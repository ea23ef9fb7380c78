/**
 * Places every assigned partition. It stays paused until it has been moved to the position of the journal, and for as long
 * as it must not be read.
 */
import {
  concatMap,
  defer,
  EMPTY,
  map,
  type Observable,
  retry,
  Subject,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs'
import { messageOf } from '../../domain/error-text'
import { retryDelayMs } from '../../domain/retry-policy'
import type { SourceHealth } from '../../ports/request-source'
import type { Watermarks } from '../admin'
import { type KafkaLog, reconnectPolicy } from '../kafka-client'

/** Where reading a partition goes on. */
type Place =
  /** The journal has no position: read from the offset the group has committed, else from the beginning. */
  | { readonly kind: 'as-committed' }
  | { readonly kind: 'at'; readonly offset: bigint }
  /** Records that the journal has not taken in were deleted. Read from the first one left, and log an error. */
  | { readonly kind: 'after-gap'; readonly offset: bigint; readonly missing: bigint }
  /** The journal is further than the partition's end, so this is another log. Reading it would skip records. */
  | { readonly kind: 'beyond-end' }

/** `position` is the next offset that the journal expects. */
export const placeOf = (position: bigint | undefined, { low, high }: Watermarks): Place => {
  if (position === undefined) return { kind: 'as-committed' }
  if (position > high) return { kind: 'beyond-end' }
  if (position < low) return { kind: 'after-gap', offset: low, missing: low - position }
  return { kind: 'at', offset: position }
}

/** The part of a kafkajs consumer that is used here. */
export interface Placeable {
  pause(topics: { topic: string; partitions: number[] }[]): void
  resume(topics: { topic: string; partitions: number[] }[]): void
  seek(to: { topic: string; partition: number; offset: string }): void
}

export interface AssignmentDeps {
  readonly consumer: Placeable
  readonly topic: string
  readonly positions: (partitions: readonly number[]) => Observable<ReadonlyMap<number, bigint>>
  readonly watermarks: () => Observable<ReadonlyMap<number, Watermarks>>
  readonly health: (health: SourceHealth) => void
  readonly log: KafkaLog
  readonly random: () => number
}

export interface Assignment {
  /** Call it synchronously when kafkajs has joined: nothing may be fetched before the journal has answered. */
  assigned(partitions: readonly number[]): void
  /** kafkajs is about to jump in the partition: pause it and ask the journal again. */
  outOfRange(partition: number): void
  /** Reports a paused partition. It stays paused until its first record lies behind `offset`. */
  unreadable(partition: number, offset: bigint, reason: string): void
  /** Reports those of its partitions that have no leader now. kafkajs reads them on by itself once they have one. */
  leaderless(partitions: readonly number[]): void
  stop(): void
}

const recheckEveryMs = 10_000

interface Hold {
  readonly reason: string
  /** Offset of the unreadable batch; null if the position lies beyond the end. */
  readonly unreadableAt: bigint | null
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

  const readOn = (partition: number, from: bigint | null): void => {
    held.delete(partition)
    if (from !== null) consumer.seek({ topic, partition, offset: from.toString() })
    consumer.resume([{ topic, partitions: [partition] }])
  }

  const place = (partition: number, position: bigint | undefined, marks: Watermarks): void => {
    const unreadableAt = held.get(partition)?.unreadableAt ?? null
    if (unreadableAt !== null && marks.low <= unreadableAt && (position ?? 0n) <= unreadableAt) return
    const to = placeOf(position, marks)
    switch (to.kind) {
      case 'as-committed':
        readOn(partition, null)
        break
      case 'at':
        readOn(partition, to.offset)
        break
      case 'after-gap':
        log('error', `${to.missing} records were deleted from ${topic}/${partition} before they were read`, {
          topic,
          partition,
          offset: to.offset.toString(),
        })
        readOn(partition, to.offset)
        break
      case 'beyond-end':
        hold(partition, {
          reason:
            `${topic}/${partition} is not read: the journal stands at offset ${position}, ` +
            `but the partition ends at ${marks.high} (topic made anew, or another database restored)`,
          unreadableAt: null,
        })
    }
  }

  // The journal is asked before the broker. Everything it has taken in then lies below the end that the broker reports. In
  // the other order a member that is losing the partition could store more in between, and the end would seem too low.
  const look = (): Observable<unknown> =>
    defer(() => deps.positions([...unplaced])).pipe(
      take(1),
      concatMap(positions =>
        deps.watermarks().pipe(
          take(1),
          map(watermarks => ({ positions, watermarks })),
        ),
      ),
      tap(({ positions, watermarks }) => {
        for (const partition of [...unplaced]) {
          const marks = watermarks.get(partition)
          if (marks !== undefined) place(partition, positions.get(partition), marks)
          else if (!held.has(partition)) hold(partition, { reason: noLeader(partition), unreadableAt: null })
          unplaced.delete(partition)
        }
        report()
      }),
      retry({
        delay: (error: unknown, failures) => {
          const why = messageOf(error)
          deps.health({ state: 'starting', reason: `where to read ${topic} on is not known: ${why}` })
          return timer(retryDelayMs(failures, deps.random(), reconnectPolicy))
        },
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
      held.clear()
      unplaced.clear()
      for (const partition of now) unplaced.add(partition)
      pause(now)
      if (now.length === 0) report()
      look$.next()
    },
    outOfRange: partition => {
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
