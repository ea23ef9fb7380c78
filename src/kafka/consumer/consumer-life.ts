/** The life of one kafkajs consumer: from its join, through its signs of life, to the end that is reported. */
import type { Consumer } from 'kafkajs'
import { defer, firstValueFrom, Observable } from 'rxjs'
import type { SourceBook, SourceChunk, SourceHealth } from '../../ports/request-source'
import { ensureTopics, partitionCounts, withAdmin } from '../admin'
import {
  createKafka,
  disconnectMs,
  isOffsetOutOfRange,
  type KafkaLog,
  type KafkaOptions,
  withinMs,
} from '../kafka-client'
import { leaderlessIn } from '../kafkajs-patches/leaderless-partitions'
import { createAssignment, type Reading } from './assignment'
import { createEachBatch, createOfferedChunks } from './each-batch'
import { readLogStates } from './log-state'

/** Silence is reported after 10 s. A healthy broker answers a fetch within 0.1 s. */
const silentAfterMs = 10_000
/** After 60 s of silence the consumer is given up, and a new one is built. */
const lostAfterMs = 60_000
/** During a join silence is allowed for longer: it may wait for the slowest member, up to the rebalance timeout of 60 s. */
const joiningMs = 150_000
const lookEveryMs = 2_000

/** The innermost error: kafkajs wraps it several times. */
const causeOf = (error: Error): Error => (error.cause instanceof Error ? causeOf(error.cause) : error)

/** What ended the consumer, as text for people. */
const crashText = (error: Error): string => {
  const cause = causeOf(error)
  const isUndecodable = cause.name === 'UnreadableBatchError' || cause instanceof RangeError
  return isUndecodable ? `what was fetched cannot be decoded: ${cause.message}` : cause.message
}

export interface LifeSigns {
  /** Called with a reason when the broker has not answered for 10 s, and with null when it answers again. */
  readonly silent: (reason: string | null) => void
  /** Called when the consumer has crashed, or was silent for too long. */
  readonly ended: (error: Error) => void
}

/**
 * Reports that a consumer has crashed or gone silent. kafkajs itself tells its caller neither: `run()` resolves before the
 * first fetch, and a connection whose packets are dropped is not noticed for minutes.
 * https://github.com/tulios/kafkajs/issues/659 and #1163 report it.
 */
export const watchLife = (
  consumer: Pick<Consumer, 'events' | 'on'>,
  { silent, ended }: LifeSigns,
): { readonly alive: () => void; stop(): void } => {
  const { CRASH, FETCH, GROUP_JOIN, HEARTBEAT, REBALANCING } = consumer.events
  let seenAt = Date.now()
  let isAssigned = false
  let isJoining = false
  let isSilent = false
  const alive = (): void => {
    seenAt = Date.now()
    if (isSilent) silent(null)
    isSilent = false
  }
  const removers = [
    consumer.on(FETCH, alive),
    consumer.on(HEARTBEAT, alive),
    consumer.on(GROUP_JOIN, () => {
      isAssigned = true
      isJoining = false
      alive()
    }),
    consumer.on(REBALANCING, () => {
      isJoining = true
      alive()
    }),
    consumer.on(CRASH, ({ payload }) => ended(new Error(crashText(payload.error), { cause: payload.error }))),
  ]
  const looking = setInterval(() => {
    if (!isAssigned) return
    const forMs = Date.now() - seenAt
    const limitMs = isJoining ? joiningMs : lostAfterMs
    if (forMs > limitMs) ended(new Error(`no sign of life from Kafka for ${limitMs / 1_000} s`))
    else if (forMs > silentAfterMs && !isJoining && !isSilent) {
      isSilent = true
      silent(`no sign of life from Kafka for ${silentAfterMs / 1_000} s`)
    }
  }, lookEveryMs)
  return {
    alive,
    stop: () => {
      clearInterval(looking)
      for (const remove of removers) remove()
    },
  }
}

export interface ConsumerLifeDeps {
  readonly kafka: KafkaOptions
  readonly groupId: string
  readonly topic: string
  readonly createTopics: boolean
  readonly book: SourceBook
  readonly health: (health: SourceHealth) => void
  readonly random: () => number
  /** Settles when the earlier consumers have left the group. */
  readonly before: Promise<unknown>
  /** Gets the promise that settles when this consumer has left the group, or was given up. */
  readonly leaving: (leaves: Promise<unknown>) => void
}

/**
 * The session of a member that was killed, or that lost its connection, lasts this long. Until it is over its partitions
 * are read by no one, and no other member can join. A frozen member loses its partitions and gets some when it wakes.
 */
const sessionTimeoutMs = 10_000
const heartbeatIntervalMs = 3_000

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
    // kafkajs restarts after some causes only, and silently. The request source builds a new consumer after any.
    retry: { initialRetryTime: 200, maxRetryTime: 3_000, retries: 8, restartOnFailure: async () => false },
  })

/**
 * The chunks of one kafkajs consumer. Errors when the consumer ends, whatever the cause; never completes. Unsubscribing
 * withdraws the outstanding chunks and leaves the group within 5 s.
 */
export const consumerLife = (deps: ConsumerLifeDeps): Observable<SourceChunk> =>
  new Observable(subscriber => {
    const { topic, groupId, book } = deps
    const reading = new Map<number, Reading>()
    const offered = createOfferedChunks(chunk => subscriber.next(chunk))
    const log: KafkaLog = (level, text, fields) => {
      deps.kafka.log(level, text, fields)
      // kafkajs logs this before it resets the partition to its beginning. The topic may have been made anew.
      if (isOffsetOutOfRange(text.replace(/^kafka: /, '')) && typeof fields.partition === 'number') {
        assignment.placeAgain(fields.partition)
      }
      const leaderless = leaderlessIn(text, fields, topic)
      if (leaderless !== null && !subscriber.closed) assignment.leaderless(leaderless)
    }
    const consumer = consumerOf({ ...deps.kafka, log }, groupId)
    let placed: SourceHealth = { state: 'starting', reason: null }
    const watch = watchLife(consumer, {
      silent: reason => deps.health(reason === null ? placed : { state: 'failed', reason }),
      ended: error => subscriber.error(error),
    })
    const assignment = createAssignment({
      consumer,
      topic,
      log: deps.kafka.log,
      random: deps.random,
      health: next => {
        placed = next
        deps.health(next)
      },
      book,
      reading,
      lost: error => subscriber.error(error),
      states: partitions =>
        defer(() =>
          readLogStates({
            kafka: deps.kafka,
            topic,
            groupId,
            partitions,
            positions: (_, numbers) => firstValueFrom(book.positions(topic, numbers)),
          }),
        ),
    })
    const eachBatch = createEachBatch({
      offered,
      log: deps.kafka.log,
      random: deps.random,
      reading,
      placeAgain: partition => assignment.placeAgain(partition),
      heartbeatEveryMs: heartbeatIntervalMs / 2,
      alive: watch.alive,
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
      // The default, from the end, skips every record written before the group's first commit.
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      if (subscriber.closed) return
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // Leaves room for partitions that are added later.
        partitionsConsumedConcurrently: Math.max(64, partitions * 2),
        eachBatch,
      })
    }
    const started = start().catch((error: unknown) => subscriber.error(error))

    return () => {
      offered.withdraw()
      assignment.stop()
      watch.stop()
      // A consumer that is stopped while it joins stays in the group for good, so the join is awaited first.
      const left = started.then(() => consumer.stop()).then(() => consumer.disconnect())
      deps.leaving(withinMs(left, disconnectMs))
    }
  })
