import type { EachBatchPayload } from 'kafkajs'
import type { KafkaLog } from './kafka-log'
import { offerUntilDurable } from './offer-until-durable'
import type { OfferedChunks } from './offered-chunks'
import { chunkEnd, sourceRecordOf } from './source-record'
import { untilUnreadable } from './unreadable-batch'

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
