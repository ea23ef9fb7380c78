import type { Consumer } from 'kafkajs'
import { defer, map, Observable, from as wrap } from 'rxjs'
import type { SourceChunk, SourceHealth } from '../ports'
import { createAssignment } from './assignment'
import { createKafka, type KafkaOptions } from './client'
import { createEachBatch } from './each-batch'
import { ensureTopics, partitionCounts } from './ensure-topics'
import { isOffsetOutOfRange, type KafkaLog } from './kafka-log'
import { createOfferedChunks } from './offered-chunks'
import { watchLife } from './watch-life'
import { withAdmin } from './with-admin'
import { withinMs } from './within'

export interface ConsumerLifeDeps {
  readonly kafka: KafkaOptions
  readonly groupId: string
  readonly topic: string
  readonly createTopics: boolean
  readonly positions: (
    topic: string,
    partitions: readonly number[],
  ) => Observable<ReadonlyMap<number, bigint>>
  readonly health: (health: SourceHealth) => void
  readonly random: () => number
  /** Settles when an earlier consumer has left. */
  readonly before: Promise<unknown>
  /** Told of the promise that settles when this consumer has left, or was given up. */
  readonly closing: (closed: Promise<unknown>) => void
}

/**
 * Nobody reads the partitions of a member that was killed, or that joined and lost its connection, before its session
 * is over; while it is missed, nobody can join either. A frozen one loses its partitions, and gets some when it wakes.
 */
const sessionTimeoutMs = 10_000
const heartbeatIntervalMs = 3_000
const closeWithinMs = 5_000

const consumerOf = (kafka: KafkaOptions, groupId: string): Consumer =>
  createKafka(kafka).consumer({
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout: sessionTimeoutMs,
    heartbeatInterval: heartbeatIntervalMs,
    rebalanceTimeout: 60_000,
    maxWaitTimeInMs: 100,
    minBytes: 1,
    maxBytesPerPartition: 512 * 1024,
    maxBytes: 8 * 1024 * 1024,
    metadataMaxAge: 60_000,
    // Restarting is ours: kafkajs does it for some causes only, and says nothing of it (trap 9).
    retry: { initialRetryTime: 200, maxRetryTime: 3_000, retries: 8, restartOnFailure: async () => false },
  })

/**
 * One kafkajs consumer from its join to its end, as chunks. Errors on whatever ends it; never completes.
 * Unsubscribing fails what is outstanding and leaves the group, within 5 s.
 */
export const consumerLife = (deps: ConsumerLifeDeps): Observable<SourceChunk> =>
  new Observable(subscriber => {
    const { topic } = deps
    const offered = createOfferedChunks(chunk => subscriber.next(chunk))
    const log: KafkaLog = (level, text, fields) => {
      deps.kafka.log(level, text, fields)
      // Before kafkajs resets the partition to its beginning: the log may be another one now.
      if (isOffsetOutOfRange(text.replace(/^kafka: /, '')) && typeof fields.partition === 'number') {
        assignment.outOfRange(fields.partition)
      }
    }
    const consumer = consumerOf({ ...deps.kafka, log }, deps.groupId)
    let placed: SourceHealth = { state: 'starting', reason: null }
    const watch = watchLife(consumer, {
      silent: reason => deps.health(reason === null ? placed : { state: 'failed', reason }),
      ended: error => subscriber.error(error),
    })
    const assignment = createAssignment({
      ...{ consumer, topic, log: deps.kafka.log, random: deps.random },
      health: next => {
        placed = next
        deps.health(next)
      },
      positions: partitions => deps.positions(topic, partitions),
      watermarks: () =>
        defer(() => wrap(withAdmin(deps.kafka, admin => admin.fetchTopicOffsets(topic)))).pipe(
          map(all => new Map(all.map(at => [at.partition, { low: BigInt(at.low), high: BigInt(at.high) }]))),
        ),
    })
    const eachBatch = createEachBatch({
      ...{ offered, log: deps.kafka.log, heartbeatEveryMs: heartbeatIntervalMs / 2, alive: watch.alive },
      unreadable: (partition, offset, reason) => assignment.unreadable(partition, offset, reason),
    })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (!subscriber.closed) assignment.assigned(payload.memberAssignment[topic] ?? [])
    })

    const start = async (): Promise<void> => {
      await deps.before
      const partitions = await withAdmin(deps.kafka, async admin => {
        await ensureTopics(admin, [topic], deps.createTopics)
        return (await partitionCounts(admin, [topic])).get(topic) ?? 0
      })
      if (subscriber.closed) return
      await consumer.connect()
      // Never from the end: it would skip what was written before the first commit (trap 3).
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      if (subscriber.closed) return
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // With room for partitions added later.
        partitionsConsumedConcurrently: Math.max(64, partitions * 2),
        eachBatch,
      })
    }
    const started = start().catch((error: unknown) => subscriber.error(error))

    return () => {
      offered.withdraw()
      assignment.stop()
      watch.stop()
      // Stopping a consumer that is still joining would leave it in the group for good: wait for the join first.
      const closed = started.then(() => consumer.stop()).then(() => consumer.disconnect())
      deps.closing(withinMs(closed, closeWithinMs))
    }
  })
