import { BehaviorSubject, defer, Observable, of, retry, type Subscription, timer } from 'rxjs'
import type { RequestSource, SourceHealth, SourceRecord } from '../../src/ports/request-source'

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
  const endOf = ({ records }: Partition): bigint => BigInt(records.length)

  const chunks: RequestSource['chunks'] = positions =>
    new Observable(subscriber => {
      /** By partition: the next offset to offer. A partition that is not read has none. */
      const nextOffsets = new Map<number, bigint>()
      const outstanding = new Set<number>()
      const waits: Subscription[] = []

      const offer = (number: number): void => {
        const partition = partitionOf(number)
        const from = nextOffsets.get(number)
        if (from === undefined || outstanding.has(number) || subscriber.closed) return
        const first = Math.max(Number(from), Number(partition.low))
        const records = partition.records.slice(first, first + chunkRecords)
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
        subscriber.next({
          topic,
          partition: number,
          records,
          done: () =>
            end(() => {
              nextOffsets.set(number, last.position.offset + 1n)
              partition.committed = last.position.offset + 1n
              offer(number)
            }),
          fail: () =>
            end(() => {
              waits.push(timer(offerAgainMs).subscribe(() => offer(number)))
            }),
        })
      }

      const place = (known: ReadonlyMap<number, bigint>): void => {
        const beyond: string[] = []
        for (const [number, partition] of partitions.entries()) {
          const position = known.get(number)
          if (position !== undefined && position > endOf(partition)) {
            beyond.push(
              `${topic}/${number} is not read: the journal stands at offset ${position}, but the partition ends at ${endOf(partition)}`,
            )
            continue
          }
          nextOffsets.set(number, position ?? partition.committed ?? 0n)
        }
        health.next(
          beyond.length > 0
            ? { state: 'failed', reason: beyond.join('; ') }
            : { state: 'assigned', reason: null },
        )
        for (const number of numbers) offer(number)
      }

      readers.add(offer)
      waits.push(
        defer(() => positions(topic, numbers))
          .pipe(retry({ delay: () => timer(askAgainMs) }))
          .subscribe(place),
      )
      return () => {
        readers.delete(offer)
        for (const wait of waits) wait.unsubscribe()
        health.next({ state: 'starting', reason: null })
      }
    })

  return {
    source: { clusterId: () => of(clusterId), chunks, health$: health.asObservable() },
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
    committed: number => partitionOf(number).committed,
    setHealth: next => health.next(next),
  }
}
