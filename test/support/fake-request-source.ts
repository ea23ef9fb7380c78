import {
  BehaviorSubject,
  concatMap,
  defer,
  from,
  mergeMap,
  Observable,
  of,
  retry,
  type Subscription,
  tap,
  timer,
} from 'rxjs'
import { logName } from '../../src/domain/request'
import { RestoredDatabaseError } from '../../src/domain/restored-database'
import { StoppedPartitionError } from '../../src/ports/errors'
import type { RequestSource, SourceHealth, SourceRecord } from '../../src/ports/request-source'
import { endOf, type Placed, placeInMemory } from './place-in-memory'

export interface FakeRecord {
  readonly key?: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: Readonly<Record<string, Uint8Array>>
  readonly timestampMs?: number
}

export interface FakeRequestSource {
  readonly source: RequestSource
  /** Appends a record, offers it to the readers, and returns its offset. */
  produce(partition: number, record: FakeRecord): bigint
  /** Retention: deletes what lies before `offset`. */
  deleteBefore(partition: number, offset: bigint): void
  /** The offset after the last record that was `done`; null before the first. */
  committed(partition: number): bigint | null
  /** Deletes the topic and makes it anew. */
  makeAnew(): void
  /** Sets what `health$` says from now on. */
  setHealth(health: SourceHealth): void
}

interface Partition {
  readonly records: SourceRecord[]
  low: bigint
  committed: bigint | null
}

const offerAgainMs = 100
const askAgainMs = 1_000
/** Partitions that are not read are looked at again after this time, ms. */
const recheckMs = 10_000

/** Requests in memory, with one log for each partition. Every reader owns all partitions. */
export const createFakeRequestSource = (
  options: {
    readonly topic?: string
    readonly partitions?: number
    readonly clusterId?: string
    readonly chunkRecords?: number
  } = {},
): FakeRequestSource => {
  const { topic = 'requests', clusterId = 'fake-cluster', chunkRecords = 500 } = options
  const partitions: Partition[] = Array.from({ length: options.partitions ?? 1 }, () => ({
    records: [],
    low: 0n,
    committed: null,
  }))
  const numbers = partitions.map((_, number) => number)
  const health = new BehaviorSubject<SourceHealth>({ state: 'starting', reason: null })
  /** Called after every append. */
  const readers = new Set<(partition: number) => void>()

  const partitionOf = (number: number): Partition => {
    const partition = partitions[number]
    if (partition === undefined) throw new Error(`no partition ${number}`)
    return partition
  }

  const committed: RequestSource['committed'] = () =>
    defer(() => {
      const known = partitions.flatMap(({ committed: next }, number) =>
        next === null ? [] : [[number, next] as const],
      )
      return of({ clusterId, topic, offsets: new Map(known) })
    })

  const chunks: RequestSource['chunks'] = book =>
    new Observable(subscriber => {
      /** By partition: where it is read on. A partition that is not read has none. */
      const reading = new Map<number, Extract<Placed, { kind: 'read' }>>()
      const held = new Map<number, string>()
      const outstanding = new Set<number>()
      const waits: Subscription[] = []

      const offer = (number: number): void => {
        const partition = partitionOf(number)
        const from = reading.get(number)
        if (from === undefined || outstanding.has(number) || subscriber.closed) return
        const first = Math.max(Number(from.offset), Number(partition.low))
        const log = logName(topic, from.life)
        const records = partition.records
          .slice(first, first + chunkRecords)
          .map(record => (log === null ? record : { ...record, position: { ...record.position, log } }))
        const last = records[records.length - 1]
        if (last === undefined) return
        outstanding.add(number)
        let isEnded = false
        const end = (then: () => void): void => {
          if (isEnded || subscriber.closed) return
          isEnded = true
          outstanding.delete(number)
          then()
        }
        const next = last.position.offset + 1n
        subscriber.next({
          topic,
          partition: number,
          life: from.life,
          continuesFrom: from.continuesFrom,
          records,
          done: () =>
            end(() => {
              reading.set(number, { ...from, offset: next, continuesFrom: next })
              partition.committed = next
              offer(number)
            }),
          fail: reason =>
            end(() => {
              if (reason instanceof StoppedPartitionError) ask([number])
              else waits.push(timer(offerAgainMs).subscribe(() => offer(number)))
            }),
        })
      }

      const report = (): void => {
        const reason = [...held.values()].join('; ')
        health.next(reason === '' ? { state: 'assigned', reason: null } : { state: 'failed', reason })
      }

      const ask = (some: readonly number[]): void => {
        for (const number of some) reading.delete(number)
        const placing = defer(() => book.positions(topic, some)).pipe(
          mergeMap(known =>
            from(some).pipe(
              concatMap(number =>
                placeInMemory(topic, number, partitionOf(number), known.get(number), book).pipe(
                  tap(placed => {
                    held.delete(number)
                    if (placed.kind === 'read') reading.set(number, placed)
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
        waits.push(
          placing.subscribe({
            error: error => subscriber.error(error),
            complete: () => {
              report()
              for (const number of some) offer(number)
              if (held.size > 0) waits.push(timer(recheckMs).subscribe(() => ask([...held.keys()])))
            },
          }),
        )
      }

      readers.add(offer)
      ask(numbers)
      return () => {
        readers.delete(offer)
        for (const wait of waits) wait.unsubscribe()
        health.next({ state: 'starting', reason: null })
      }
    })

  return {
    source: { clusterId: () => of(clusterId), committed, chunks, health$: health.asObservable() },
    produce: (number, { key = null, value, headers = {}, timestampMs = 0 }) => {
      const partition = partitionOf(number)
      const offset = endOf(partition)
      partition.records.push({
        position: { topic, partition: number, offset },
        key,
        value,
        headers,
        timestampMs,
      })
      for (const offer of readers) offer(number)
      return offset
    },
    deleteBefore: (number, offset) => {
      partitionOf(number).low = offset
    },
    makeAnew: () => {
      for (const partition of partitions) {
        partition.records.length = 0
        partition.low = 0n
        partition.committed = null
      }
    },
    committed: number => partitionOf(number).committed,
    setHealth: next => health.next(next),
  }
}
