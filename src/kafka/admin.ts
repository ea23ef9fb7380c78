import type { Admin } from 'kafkajs'
import { TransientError } from '../ports/errors'
import { brief, createKafka, type KafkaOptions, withinMs } from './kafka-client'

/** Runs `work` with an admin connection of its own and closes it. Gives up on an unreachable broker within seconds. */
export const withAdmin = async <T>(options: KafkaOptions, work: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = createKafka(options, brief).admin()
  try {
    await admin.connect()
    return await work(admin)
  } finally {
    await withinMs(admin.disconnect(), 5_000)
  }
}

/** Spreads 20,000 records a second over a few brokers, and devices over consumers. */
const partitionsOfNewTopic = 12

/**
 * Makes sure that `topics` exist: creates what is missing if `create`, else throws a `TransientError` that names it,
 * since somebody may create it any moment. Safe against another process creating the same.
 */
export const ensureTopics = async (
  admin: Admin,
  topics: readonly string[],
  create: boolean,
  partitions = partitionsOfNewTopic,
): Promise<void> => {
  // Asking for one unknown topic by name makes kafkajs retry for many seconds; listing does not.
  const existing = new Set(await admin.listTopics())
  const missing = [...new Set(topics)].filter(topic => !existing.has(topic))
  if (missing.length === 0) return
  if (!create) {
    const names = missing.map(topic => `"${topic}"`).join(', ')
    throw new TransientError(
      `${missing.length === 1 ? 'topic' : 'topics'} ${names} not found: create it, or set KAFKA_CREATE_TOPICS=true`,
    )
  }
  const { brokers } = await admin.describeCluster()
  await admin.createTopics({
    // kafkajs would wait for leaders, but give up at once if the broker asked has not heard of the topic yet.
    waitForLeaders: false,
    topics: missing.map(topic => ({
      topic,
      numPartitions: partitions,
      replicationFactor: Math.min(3, brokers.length),
      // A compacted topic could stall the consumer for ever (trap 13).
      configEntries: [{ name: 'cleanup.policy', value: 'delete' }],
    })),
  })
  await untilLed(admin, missing)
}

const lookEveryMs = 100
const looks = 50

/** Until every partition of new topics has a leader; rejects after about 5 s. */
const untilLed = async (admin: Admin, topics: readonly string[]): Promise<void> => {
  for (let look = 1; ; look += 1) {
    try {
      const metadata = await admin.fetchTopicMetadata({ topics: [...topics] })
      if (metadata.topics.every(topic => topic.partitions.every(partition => partition.leader >= 0))) return
      if (look === looks) throw new TransientError(`${topics.join(', ')} has partitions without a leader`)
    } catch (error) {
      if (look === looks) throw error
    }
    await new Promise(resolve => setTimeout(resolve, lookEveryMs))
  }
}

/** Number of partitions of each topic, as the broker says now. */
export const partitionCounts = async (
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const metadata = await admin.fetchTopicMetadata({ topics: [...new Set(topics)] })
  return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
}

/** Lowest offset still there, and the one the next record will get. */
export interface Watermarks {
  readonly low: bigint
  readonly high: bigint
}

/** Where to read a partition on. */
export type Place =
  /** The journal knows nothing of it: the group's committed offset, else the beginning. */
  | { readonly kind: 'as-committed' }
  | { readonly kind: 'at'; readonly offset: bigint }
  /** Records the journal has not seen were deleted: go on with the first that is left, and sound the alarm. */
  | { readonly kind: 'after-gap'; readonly offset: bigint; readonly missing: bigint }
  /** The journal has seen more than was ever written: not the same log. Reading it would skip records. */
  | { readonly kind: 'beyond-end' }

/** `position`: next offset by the journal's word. */
export const placeOf = (position: bigint | undefined, { low, high }: Watermarks): Place => {
  if (position === undefined) return { kind: 'as-committed' }
  if (position > high) return { kind: 'beyond-end' }
  if (position < low) return { kind: 'after-gap', offset: low, missing: low - position }
  return { kind: 'at', offset: position }
}

export interface RequestLogPartition extends Watermarks {
  readonly partition: number
  /** Next offset by the group's word; null: it has committed none. */
  readonly committed: bigint | null
}

export interface RequestLog {
  readonly clusterId: string
  /** Of the requests topic, by number; empty if there is no such topic. */
  readonly partitions: readonly RequestLogPartition[]
}

/** What Kafka itself knows of the requests topic and of how far the group has read it. */
export const readRequestLog = async (admin: Admin, topic: string, groupId: string): Promise<RequestLog> => {
  const { clusterId } = await admin.describeCluster()
  // Asking for an unknown topic by name makes kafkajs retry for many seconds; listing does not.
  if (!(await admin.listTopics()).includes(topic)) return { clusterId, partitions: [] }
  const ends = await admin.fetchTopicOffsets(topic)
  const group = (await admin.fetchOffsets({ groupId })).find(each => each.topic === topic)
  const partitions = ends.map(({ partition, low, high }) => {
    const committed = BigInt(group?.partitions.find(at => at.partition === partition)?.offset ?? -1)
    return {
      ...{ partition, low: BigInt(low), high: BigInt(high) },
      committed: committed < 0n ? null : committed,
    }
  })
  return { clusterId, partitions: partitions.sort((a, b) => a.partition - b.partition) }
}

export interface PositionPlace {
  /** The private group that keeps the position. */
  readonly groupId: string
  readonly topic: string
}

/** Id of the last outbox row published in a committed transaction; null if the group remembers none. */
export const publishedPosition = async (
  admin: Admin,
  { groupId, topic }: PositionPlace,
): Promise<bigint | null> => {
  // All topics of the group: asking for one by name would wait for it to exist.
  const committed = await admin.fetchOffsets({ groupId })
  const at = committed.find(each => each.topic === topic)?.partitions.find(({ partition }) => partition === 0)
  // Committed is the last published id + 1; kafkajs gives -1 for none.
  const next = BigInt(at?.offset ?? -1)
  return next < 1n ? null : next - 1n
}
