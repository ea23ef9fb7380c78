/** One member of the topic's group. It reads the partitions dealt to it, from the positions that the journal gives. */
import { type BehaviorSubject, defer, Observable, retry, timer } from 'rxjs'
import type {
  RequestSource,
  SourceChunk,
  SourceHealth,
  SourceRecord,
} from '../../../src/ports/request-source'
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

type Positions = Parameters<RequestSource['chunks']>[0]

const offerAgainMs = 100
const askAgainMs = 1_000

export const endOf = ({ records }: Partition): bigint => BigInt(records.length)

export const createReader =
  (deps: ReaderDeps): RequestSource['chunks'] =>
  positions =>
    new Observable<SourceChunk>(subscriber => {
      const { clock, latencyMs, join, leave, health } = deps
      const atTheBroker = (act: () => void): void => clock.after(clock.world, latencyMs(), act)
      const member = createMember(deps, positions, {
        next: chunk => subscriber.next(chunk),
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
  readonly isClosed: () => boolean
}

const createMember = (deps: ReaderDeps, positions: Positions, reading: Reading): Member => {
  const { clock, owner, topic, chunkRecords, latencyMs, partitionOf, health } = deps
  /** By partition: the next offset to offer. A partition that is not read has none. */
  const nextOffsets = new Map<number, bigint>()
  const outstanding = new Set<number>()
  /** The number of the latest deal that it knows; -1: none yet. */
  let known = -1
  const isOver = (dealt: number): boolean => dealt !== known || reading.isClosed()

  const fetch = (number: number): void => {
    const dealt = known
    outstanding.add(number)
    clock.after(clock.world, latencyMs(), () => {
      const partition = partitionOf(number)
      const first = Math.max(Number(nextOffsets.get(number) ?? 0n), Number(partition.low))
      const records = partition.records.slice(first, first + chunkRecords)
      clock.as(owner, () => {
        if (isOver(dealt)) return
        if (records.length > 0) emit(number, records)
        else outstanding.delete(number)
      })
    })
  }
  const offer = (number: number): void => {
    const from = nextOffsets.get(number)
    if (from === undefined || outstanding.has(number) || reading.isClosed()) return
    if (endOf(partitionOf(number)) > from) fetch(number)
  }

  const emit = (number: number, records: readonly SourceRecord[]): void => {
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
      records,
      done: () =>
        end(() => {
          nextOffsets.set(number, next)
          commit()
          offer(number)
        }),
      fail: () => end(() => timer(offerAgainMs).subscribe(() => offer(number))),
    })
  }

  const place = (assigned: readonly number[], stored: ReadonlyMap<number, bigint>): void => {
    const beyond: string[] = []
    for (const number of assigned) {
      const partition = partitionOf(number)
      const position = stored.get(number)
      const end = endOf(partition)
      if (position === undefined || position <= end)
        nextOffsets.set(number, position ?? partition.committed ?? 0n)
      else
        beyond.push(
          `${topic}/${number} is not read: the journal stands at offset ${position}, but the partition ends at ${end}`,
        )
    }
    const state = assigned.length > 0 ? 'assigned' : 'standing-by'
    health.next(beyond.length > 0 ? { state: 'failed', reason: beyond.join('; ') } : { state, reason: null })
    for (const number of assigned) offer(number)
  }

  return {
    owner,
    assign: (assigned, dealt) => {
      if (dealt < known) return
      known = dealt
      nextOffsets.clear()
      outstanding.clear()
      defer(() => positions(topic, assigned))
        .pipe(retry({ delay: () => timer(askAgainMs) }))
        .subscribe(stored => {
          if (!isOver(dealt)) place(assigned, stored)
        })
    },
    wake: offer,
  }
}
