import type { EachBatchPayload, IHeaders, KafkaMessage } from 'kafkajs'
import { messageOf } from '../../domain/error-text'
import type { SourceRecord } from '../../ports/request-source'
import type { KafkaLog } from '../kafka-client'
import { untilUnreadable } from '../kafkajs-patches/checked-batches'
import type { OfferedChunks } from './offered-chunks'

const firstPauseMs = 100
const longestPauseMs = 5_000

/**
 * Offers one chunk, again and ever more slowly after each `fail`, until it is durable. false if it must not be
 * offered any more: the source stops, or the partition may be another member's by now.
 */
export const offerUntilDurable = async (
  { offered, log }: { readonly offered: OfferedChunks; readonly log: KafkaLog },
  records: readonly SourceRecord[],
  mayGoOn: () => boolean,
): Promise<boolean> => {
  const first = records[0]?.position
  if (first === undefined) return true
  const { topic, partition, offset } = first
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const end = await offered.offer(topic, partition, records)
    if (end.kind === 'done') return true
    if (end.kind === 'withdrawn') return false
    log('warn', 'a chunk was not stored and is offered again', {
      ...{ topic, partition, offset: offset.toString() },
      error: messageOf(end.reason),
    })
    await offered.pause(pauseMs)
    if (!mayGoOn()) return false
  }
}

const headersOf = (headers: IHeaders | undefined): Record<string, Uint8Array> => {
  const kept = new Map<string, Uint8Array>()
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase()
    const first = Array.isArray(value) ? value[0] : value
    // A header without a value says nothing.
    if (first === undefined || first === null || kept.has(key)) continue
    kept.set(key, typeof first === 'string' ? Buffer.from(first) : first)
  }
  return Object.fromEntries(kept)
}

/** A record as the port shows it: bytes as they are, a tombstone's value null. */
export const sourceRecordOf = (topic: string, partition: number, record: KafkaMessage): SourceRecord => ({
  position: { topic, partition, offset: BigInt(record.offset) },
  key: record.key,
  value: record.value,
  headers: headersOf(record.headers),
  timestampMs: Number(record.timestamp),
})

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
  /** Between two heartbeats while a chunk is out. kafkajs itself sends none meanwhile (trap 16). */
  readonly heartbeatEveryMs: number
  /** Told of every sign that the connection lives. */
  readonly alive: () => void
  /** Told when a partition was met that must not be read on; it is paused then. */
  readonly unreadable: (partition: number, offset: bigint, reason: string) => void
}

const commitEveryMs = 1_000

/**
 * kafkajs's handler of one fetched batch. Its promise is held until the subscriber has ended every chunk of the
 * batch: meanwhile kafkajs fetches nothing more, and does not leave the group's generation. That is the
 * back-pressure, and the barrier at a rebalance.
 */
export const createEachBatch = (deps: EachBatchDeps): ((payload: EachBatchPayload) => Promise<void>) => {
  /** Last commit of each partition: they are throttled across batches. */
  const committedAt = new Map<number, number>()

  return async payload => {
    const { topic, partition, messages } = payload.batch
    const { offered } = deps
    let lost: unknown
    let nextOffset: bigint | null = null

    const beat = setInterval(() => {
      // With the group lost the chunk is still under way, which needs no broker.
      if (lost !== undefined) return deps.alive()
      payload
        .heartbeat()
        .then(deps.alive)
        .catch((error: unknown) => {
          // A rebalance, or no connection: rethrown after the chunk, whose append is idempotent.
          lost ??= error
        })
    }, deps.heartbeatEveryMs)

    const commit = async (): Promise<void> => {
      if (nextOffset === null) return
      committedAt.set(partition, Date.now())
      // Not `consumer.commitOffsets`, which does nothing, silently, once stopping has begun (trap 2).
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset: nextOffset.toString() }] }],
      })
      nextOffset = null
    }

    const mayGoOn = (): boolean =>
      !offered.withdrawn() && lost === undefined && payload.isRunning() && !payload.isStale()

    const throttled = (): boolean => Date.now() - (committedAt.get(partition) ?? 0) < commitEveryMs
    const { readable, unreadable } = untilUnreadable(messages)

    /** true if every readable record is durable. */
    const handOn = async (): Promise<boolean> => {
      let at = 0
      while (at < readable.length) {
        if (!mayGoOn()) return false
        const end = chunkEnd(readable, at)
        const chunk = readable.slice(at, end).map(record => sourceRecordOf(topic, partition, record))
        if (!(await offerUntilDurable(deps, chunk, mayGoOn))) return false
        at = end
        const last = chunk[chunk.length - 1]?.position.offset ?? 0n
        payload.resolveOffset(last.toString())
        nextOffset = last + 1n
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
      // Later batches commit for this one, unless none may come soon.
      const isLast = payload.batch.offsetLag() === '0' || unreadable !== null || !mayGoOn()
      if (isLast || !throttled()) await commit()
      if (lost !== undefined) throw lost
    } finally {
      clearInterval(beat)
    }
  }
}
