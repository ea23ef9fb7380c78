/** One fetched batch: it is handed on in chunks, and its offsets are committed as far as the chunks are durable. */
import type { EachBatchPayload, IHeaders, KafkaMessage } from 'kafkajs'
import { messageOf } from '../../domain/error-text'
import { logName } from '../../domain/request'
import { type BackoffPolicy, retryDelayMs } from '../../domain/retry-policy'
import { StoppedPartitionError } from '../../ports/errors'
import type { SourceChunk, SourceRecord } from '../../ports/request-source'
import type { KafkaLog } from '../kafka-client'
import { untilUnreadable } from '../kafkajs-patches/checked-batches'
import type { Reading } from './assignment'

/** How the subscriber ended a chunk. `withdrawn`: the source stopped first. */
type ChunkEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'withdrawn' }
  | { readonly kind: 'failed'; readonly reason: unknown }

type Offer = Omit<SourceChunk, 'done' | 'fail'>

/** The chunks that the subscriber has been given and has not ended yet. */
export interface OfferedChunks {
  /** Hands over one chunk and resolves when it has ended. Never rejects. */
  offer(chunk: Offer): Promise<ChunkEnd>
  /** Resolves after `ms`, or as soon as everything is withdrawn. */
  pause(ms: number): Promise<void>
  /** Ends every outstanding chunk as not durable. Nothing is offered afterwards. */
  withdraw(): void
  readonly withdrawn: () => boolean
}

export const createOfferedChunks = (emit: (chunk: SourceChunk) => void): OfferedChunks => {
  const endings = new Set<() => void>()
  let isWithdrawn = false

  /** A promise that `withdraw` can resolve too, with `ifWithdrawn`. */
  const endable = <T>(ifWithdrawn: T, start: (end: (value: T) => void) => void): Promise<T> =>
    new Promise(resolve => {
      if (isWithdrawn) return resolve(ifWithdrawn)
      const end = (value: T): void => {
        endings.delete(withdraw)
        resolve(value)
      }
      const withdraw = (): void => end(ifWithdrawn)
      endings.add(withdraw)
      return start(end)
    })

  return {
    offer: chunk =>
      endable<ChunkEnd>({ kind: 'withdrawn' }, end =>
        emit({
          ...chunk,
          done: () => end({ kind: 'done' }),
          fail: reason => end({ kind: 'failed', reason }),
        }),
      ),
    pause: async ms => {
      let timer: NodeJS.Timeout | undefined
      await endable<void>(undefined, end => {
        timer = setTimeout(end, ms)
      })
      clearTimeout(timer)
    },
    withdraw: () => {
      isWithdrawn = true
      for (const end of [...endings]) end()
    },
    withdrawn: () => isWithdrawn,
  }
}

/** The first value of each header, under its name in lower case. A header without a value is left out. */
const headersOf = (headers: IHeaders | undefined): Record<string, Uint8Array> => {
  const kept = new Map<string, Uint8Array>()
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase()
    const first = Array.isArray(value) ? value[0] : value
    if (first === undefined || first === null || kept.has(key)) continue
    kept.set(key, typeof first === 'string' ? Buffer.from(first) : first)
  }
  return Object.fromEntries(kept)
}

/** A record as the port shows it: bytes as they are, and null for the value of a tombstone. */
export const sourceRecordOf = (
  at: Pick<SourceRecord['position'], 'topic' | 'partition' | 'log'>,
  record: KafkaMessage,
): SourceRecord => ({
  position: { ...at, offset: BigInt(record.offset) },
  key: record.key,
  value: record.value,
  headers: headersOf(record.headers),
  timestampMs: Number(record.timestamp),
})

const chunkOf = (at: Omit<Offer, 'records'>, messages: readonly KafkaMessage[]): Offer => {
  const { topic, partition, life } = at
  const log = logName(topic, life)
  const from = log === null ? { topic, partition } : { topic, partition, log }
  return { ...at, records: messages.map(message => sourceRecordOf(from, message)) }
}

const maxRecords = 500
const maxBytes = 4 * 1024 * 1024

const bytesOf = (record: KafkaMessage): number => (record.key?.length ?? 0) + (record.value?.length ?? 0)

/**
 * End (exclusive) of the chunk that begins at `from`: at most 500 records and about 4 MiB, and one record at least,
 * however large.
 */
export const chunkEnd = (records: readonly KafkaMessage[], from: number): number => {
  let bytes = 0
  let end = from
  for (; end < records.length && end - from < maxRecords; end += 1) {
    const record = records[end]
    if (record === undefined) break
    bytes += bytesOf(record)
    if (end > from && bytes > maxBytes) break
  }
  return end
}

export interface EachBatchDeps {
  readonly offered: OfferedChunks
  readonly log: KafkaLog
  /** Where each partition goes on. Nothing is read of one that is not in it. */
  readonly reading: Map<number, Reading>
  /** Called when the journal says that the partition cannot be read on like this. */
  readonly placeAgain: (partition: number) => void
  /** Gives 0 up to 1: jitter of the pauses after a chunk that failed. */
  readonly random: () => number
  /** Time between two heartbeats while a chunk is outstanding. kafkajs sends none while its handler runs. */
  readonly heartbeatEveryMs: number
  /** Called at every sign that the connection lives. */
  readonly alive: () => void
  /** Called when the partition has a batch that cannot be read. The partition is paused at that point. */
  readonly unreadable: (partition: number, offset: bigint, reason: string) => void
}

const commitEveryMs = 1_000
/** Pauses before a chunk that was not stored is offered again. */
const offerPolicy: BackoffPolicy = { backoffMs: 100, backoffMaxMs: 5_000 }

/**
 * Offers one chunk until it is durable, with a longer pause after each failure. Resolves with false if it must not be
 * offered any more, because the source stops or the partition may have gone to another member.
 */
const offerUntilDurable = async (
  { offered, log, random, placeAgain }: EachBatchDeps,
  chunk: Offer,
  mayGoOn: () => boolean,
): Promise<boolean> => {
  for (let attempt = 1; ; attempt += 1) {
    const end = await offered.offer(chunk)
    if (end.kind === 'done') return true
    if (end.kind === 'withdrawn') return false
    if (end.reason instanceof StoppedPartitionError) {
      placeAgain(chunk.partition)
      return false
    }
    const { topic, partition } = chunk
    const [offset, error] = [`${chunk.continuesFrom ?? 0n}`, messageOf(end.reason)]
    log('warn', 'a chunk was not stored and is offered again', { topic, partition, offset, error })
    await offered.pause(retryDelayMs(attempt, random(), offerPolicy))
    if (!mayGoOn()) return false
  }
}

/**
 * The handler that kafkajs calls for each fetched batch. Its promise stays open until the subscriber has ended every
 * chunk of the batch. Until then kafkajs fetches nothing more, which is the back-pressure, and it does not leave the
 * generation of the group, which is the barrier at a rebalance.
 */
export const createEachBatch = (deps: EachBatchDeps): ((payload: EachBatchPayload) => Promise<void>) => {
  /** Time of each partition's last commit. The limit of one commit a second holds across batches. */
  const committedAt = new Map<number, number>()

  return async payload => {
    const { topic, partition, messages } = payload.batch
    const { offered } = deps
    let lost: unknown
    let nextOffset: bigint | null = null

    const beat = setInterval(() => {
      // The group is lost, but the chunk is still being stored, which needs no broker.
      if (lost !== undefined) return deps.alive()
      payload
        .heartbeat()
        .then(deps.alive)
        .catch((error: unknown) => {
          // A rebalance, or no connection. It is rethrown after the chunk, whose append is idempotent.
          lost ??= error
        })
    }, deps.heartbeatEveryMs)

    const commit = async (): Promise<void> => {
      if (nextOffset === null) return
      committedAt.set(partition, Date.now())
      // `consumer.commitOffsets` would resolve without committing anything once the consumer is being stopped.
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset: nextOffset.toString() }] }],
      })
      nextOffset = null
    }

    const mayGoOn = (): boolean =>
      !offered.withdrawn() && lost === undefined && payload.isRunning() && !payload.isStale()

    const throttled = (): boolean => Date.now() - (committedAt.get(partition) ?? 0) < commitEveryMs
    const { readable, unreadable } = untilUnreadable(messages)

    /** Resolves with true if every readable record is durable. */
    const handOn = async (): Promise<boolean> => {
      let at = 0
      while (at < readable.length) {
        if (!mayGoOn()) return false
        const reading = deps.reading.get(partition)
        if (reading === undefined) return false
        const end = chunkEnd(readable, at)
        const chunk = chunkOf({ topic, partition, ...reading }, readable.slice(at, end))
        if (!(await offerUntilDurable(deps, chunk, mayGoOn))) return false
        at = end
        const last = chunk.records.at(-1)?.position.offset ?? 0n
        payload.resolveOffset(last.toString())
        nextOffset = last + 1n
        deps.reading.set(partition, { life: reading.life, continuesFrom: nextOffset })
        if (!throttled()) await commit()
      }
      return true
    }

    try {
      const isDurable = await handOn()
      if (isDurable && unreadable !== null) {
        payload.pause()
        deps.unreadable(partition, unreadable.offset, unreadable.reason)
      }
      // A later batch commits for this one, unless none may come soon.
      const isLast = payload.batch.offsetLag() === '0' || unreadable !== null || !mayGoOn()
      if (isLast || !throttled()) await commit()
      if (lost !== undefined) throw lost
    } finally {
      clearInterval(beat)
    }
  }
}
