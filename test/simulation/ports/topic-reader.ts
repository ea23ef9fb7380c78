/** One member of the topic's group. It reads the partitions dealt to it, from the positions that the journal gives. */
import {
  type BehaviorSubject,
  concatMap,
  defer,
  from,
  map,
  mergeMap,
  Observable,
  retry,
  tap,
  timer,
} from 'rxjs'
import { logName } from '../../../src/domain/request'
import { RestoredDatabaseError } from '../../../src/domain/restored-database'
import { StoppedPartitionError } from '../../../src/ports/errors'
import type {
  RequestSource,
  SourceBook,
  SourceChunk,
  SourceHealth,
  SourceRecord,
} from '../../../src/ports/request-source'
import { endOf, type Placed, placeInMemory } from '../../support/place-in-memory'
import type { Clock, Owner } from '../clock'

export interface Partition {
  readonly records: SourceRecord[]
  low: bigint
  committed: bigint | null
}

export interface Member {
  readonly owner: Owner
  /** Runs as the member's process. Partitions that were dealt out before those it knows are ignored. */
  assign(partitions: readonly number[], dealt: number): void
  /** A record came in. */
  wake(partition: number): void
}

export interface ReaderDeps {
  readonly clock: Pick<Clock, 'after' | 'as' | 'world'>
  readonly owner: Owner
  readonly topic: string
  readonly chunkRecords: number
  readonly latencyMs: () => number
  readonly partitionOf: (number: number) => Partition
  readonly join: (member: Member) => void
  readonly leave: (member: Member) => void
  readonly health: BehaviorSubject<SourceHealth>
}

const offerAgainMs = 100
const askAgainMs = 1_000
/** Partitions that are not read are looked at again after this time, ms. */
const recheckMs = 10_000

export const createReader =
  (deps: ReaderDeps): RequestSource['chunks'] =>
  book =>
    new Observable<SourceChunk>(subscriber => {
      const { clock, latencyMs, join, leave, health } = deps
      const atTheBroker = (act: () => void): void => clock.after(clock.world, latencyMs(), act)
      const member = createMember(deps, book, {
        next: chunk => subscriber.next(chunk),
        error: error => subscriber.error(error),
        isClosed: () => subscriber.closed,
      })
      atTheBroker(() => {
        if (!subscriber.closed) join(member)
      })
      return () => {
        atTheBroker(() => leave(member))
        health.next({ state: 'starting', reason: null })
      }
    })

interface Reading {
  readonly next: (chunk: SourceChunk) => void
  readonly error: (error: unknown) => void
  readonly isClosed: () => boolean
}

const createMember = (deps: ReaderDeps, book: SourceBook, reading: Reading): Member => {
  const { clock, owner, topic, chunkRecords, latencyMs, partitionOf, health } = deps
  /** By partition: where it is read on. A partition that is not read has none. */
  const places = new Map<number, Extract<Placed, { kind: 'read' }>>()
  const held = new Map<number, string>()
  const outstanding = new Set<number>()
  /** The number of the latest deal that it knows; -1: none yet. */
  let known = -1
  const isOver = (dealt: number): boolean => dealt !== known || reading.isClosed()

  const fetch = (number: number): void => {
    const dealt = known
    outstanding.add(number)
    clock.after(clock.world, latencyMs(), () => {
      const partition = partitionOf(number)
      const place = places.get(number)
      const first = Math.max(Number(place?.offset ?? 0n), Number(partition.low))
      const log = logName(topic, place?.life ?? 1)
      const records = partition.records
        .slice(first, first + chunkRecords)
        .map(record => (log === null ? record : { ...record, position: { ...record.position, log } }))
      clock.as(owner, () => {
        if (isOver(dealt)) return
        if (records.length > 0 && place !== undefined && places.get(number) === place)
          emit(number, place, records)
        else outstanding.delete(number)
      })
    })
  }
  const offer = (number: number): void => {
    const place = places.get(number)
    if (place === undefined || outstanding.has(number) || reading.isClosed()) return
    if (endOf(partitionOf(number)) > place.offset) fetch(number)
  }

  const emit = (
    number: number,
    place: Extract<Placed, { kind: 'read' }>,
    records: readonly SourceRecord[],
  ): void => {
    const dealt = known
    const next = (records.at(-1)?.position.offset ?? 0n) + 1n
    let isEnded = false
    const end = (then: () => void): void => {
      if (isEnded) return
      isEnded = true
      if (isOver(dealt)) return
      outstanding.delete(number)
      then()
    }
    const commit = (): void =>
      clock.after(clock.world, latencyMs(), () => {
        const partition = partitionOf(number)
        if (partition.committed === null || next > partition.committed) partition.committed = next
      })
    reading.next({
      topic,
      partition: number,
      life: place.life,
      continuesFrom: place.continuesFrom,
      records,
      done: () =>
        end(() => {
          places.set(number, { ...place, offset: next, continuesFrom: next })
          commit()
          offer(number)
        }),
      fail: reason =>
        end(() => {
          if (reason instanceof StoppedPartitionError) ask([number])
          else timer(offerAgainMs).subscribe(() => offer(number))
        }),
    })
  }

  const report = (assigned: readonly number[]): void => {
    const reason = [...held.values()].join('; ')
    const state = assigned.length > 0 ? 'assigned' : 'standing-by'
    health.next(reason === '' ? { state, reason: null } : { state: 'failed', reason })
  }

  /** Asks the journal where partitions are read on, and does so. */
  const ask = (some: readonly number[]): void => {
    const dealt = known
    for (const number of some) places.delete(number)
    const placing = defer(() => {
      // Read before the journal is asked, as the Kafka source does.
      const committed = new Map(some.map(number => [number, partitionOf(number).committed]))
      return book.positions(topic, some).pipe(map(stored => ({ stored, committed })))
    }).pipe(
      mergeMap(({ stored, committed }) =>
        from(some).pipe(
          concatMap(number =>
            defer(() => {
              const log = { ...partitionOf(number), committed: committed.get(number) ?? null }
              return placeInMemory(topic, number, log, stored.get(number), book)
            }).pipe(
              tap(placed => {
                if (isOver(dealt)) return
                held.delete(number)
                if (placed.kind === 'read') places.set(number, placed)
                else held.set(number, placed.reason)
              }),
            ),
          ),
        ),
      ),
      retry({
        delay: error => {
          if (error instanceof RestoredDatabaseError) throw error
          return timer(askAgainMs)
        },
      }),
    )
    placing.subscribe({
      error: error => {
        if (!isOver(dealt)) reading.error(error)
      },
      complete: () => {
        if (isOver(dealt)) return
        report(some)
        for (const number of some) offer(number)
        if (held.size > 0)
          timer(recheckMs).subscribe(() => {
            if (!isOver(dealt)) ask([...held.keys()])
          })
      },
    })
  }

  return {
    owner,
    assign: (assigned, dealt) => {
      if (dealt < known) return
      known = dealt
      places.clear()
      held.clear()
      outstanding.clear()
      ask(assigned)
    },
    wake: offer,
  }
}
