/** Questions to a cluster, and the creation of topics. Each call has an admin connection of its own. */
import type { Admin } from 'kafkajs'
import { TransientError } from '../ports/errors'
import { brief, createKafka, disconnectMs, type KafkaOptions, withinMs } from './kafka-client'

/** Runs `work` on a new admin connection and closes it. Gives up on an unreachable broker within seconds. */
export const withAdmin = async <T>(options: KafkaOptions, work: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = createKafka(options, brief).admin()
  try {
    await admin.connect()
    return await work(admin)
  } finally {
    await withinMs(admin.disconnect(), disconnectMs)
  }
}

/** Enough to spread 20,000 records a second over a few brokers, and to give each of several consumers a share. */
const partitionsOfNewTopic = 12

/**
 * Makes sure that `topics` exist. Missing ones are created if `create` is true. Otherwise a `TransientError` names them,
 * because an operator may create them at any moment. Another process may create the same topics meanwhile.
 */
export const ensureTopics = async (
  admin: Admin,
  topics: readonly string[],
  create: boolean,
  partitions = partitionsOfNewTopic,
): Promise<void> => {
  // kafkajs retries for many seconds when it is asked for an unknown topic by name. It lists topics at once.
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
    // kafkajs would wait for leaders, but it gives up at once if the broker it asks does not know the topic yet.
    waitForLeaders: false,
    topics: missing.map(topic => ({
      topic,
      numPartitions: partitions,
      replicationFactor: Math.min(3, brokers.length),
      // In a compacted topic kafkajs may fetch one emptied batch for ever (https://github.com/tulios/kafkajs/issues/1072).
      configEntries: [{ name: 'cleanup.policy', value: 'delete' }],
    })),
  })
  await untilLed(admin, missing)
}

const lookEveryMs = 100
const looks = 50

/** Resolves when every partition of the new topics has a leader. Rejects after about 5 s. */
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

/** Number of partitions of each topic at this moment. */
export const partitionCounts = async (
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const metadata = await admin.fetchTopicMetadata({ topics: [...new Set(topics)] })
  return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
}

/** `low` is the lowest offset that still exists. `high` is the offset of the next record. */
export interface Watermarks {
  readonly low: bigint
  readonly high: bigint
}

/** Where each partition of the topic begins and ends. */
export const watermarks = async (admin: Admin, topic: string): Promise<ReadonlyMap<number, Watermarks>> =>
  new Map(
    (await admin.fetchTopicOffsets(topic)).map(at => [
      at.partition,
      { low: BigInt(at.low), high: BigInt(at.high) },
    ]),
  )

/** The numbers of the topic's partitions; none if there is no such topic. */
export const partitionNumbers = async (admin: Admin, topic: string): Promise<readonly number[]> => {
  // kafkajs retries for many seconds when it is asked for an unknown topic by name. It lists topics at once.
  if (!(await admin.listTopics()).includes(topic)) return []
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return (topics[0]?.partitions ?? []).map(({ partitionId }) => partitionId).sort((a, b) => a - b)
}

/** The next offset that the group has committed, of each partition of the topic that has one. */
export const committedOffsets = async (
  admin: Admin,
  topic: string,
  groupId: string,
): Promise<ReadonlyMap<number, bigint>> => {
  // Asks for all topics of the group, because asking for one by name waits until it exists.
  const group = (await admin.fetchOffsets({ groupId })).find(each => each.topic === topic)
  const committed = (group?.partitions ?? []).map(at => [at.partition, BigInt(at.offset)] as const)
  return new Map(committed.filter(([, offset]) => offset >= 0n))
}

export interface RequestLogPartition extends Watermarks {
  readonly partition: number
  /** The next offset that the group has committed; null if it has committed none. */
  readonly committed: bigint | null
}

export interface RequestLog {
  readonly clusterId: string
  /** The partitions of the requests topic, by number. Empty if there is no such topic. */
  readonly partitions: readonly RequestLogPartition[]
}

/** Reads from Kafka how far the requests topic reaches and how far the group has read it. */
export const readRequestLog = async (admin: Admin, topic: string, groupId: string): Promise<RequestLog> => {
  const { clusterId } = await admin.describeCluster()
  // kafkajs retries for many seconds when it is asked for an unknown topic by name. It lists topics at once.
  if (!(await admin.listTopics()).includes(topic)) return { clusterId, partitions: [] }
  const ends = await watermarks(admin, topic)
  const partitionCount = (await partitionCounts(admin, [topic])).get(topic) ?? 0
  for (let partition = 0; partition < partitionCount; partition += 1)
    if (!ends.has(partition))
      throw new TransientError(`${topic}/${partition} has no leader: the broker that holds it is away`)
  const committed = await committedOffsets(admin, topic, groupId)
  const partitions = [...ends].map(([partition, marks]) => ({
    partition,
    ...marks,
    committed: committed.get(partition) ?? null,
  }))
  return { clusterId, partitions: partitions.sort((a, b) => a.partition - b.partition) }
}

export interface PositionPlace {
  /** The group that keeps the position. It has no members. */
  readonly groupId: string
  readonly topic: string
}

/** Id of the last outbox row that a committed transaction has published; null if the group has no offset. */
export const publishedPosition = async (
  admin: Admin,
  { groupId, topic }: PositionPlace,
): Promise<bigint | null> => {
  // Asks for all topics of the group, because asking for one by name waits until it exists.
  const committed = await admin.fetchOffsets({ groupId })
  const at = committed.find(each => each.topic === topic)?.partitions.find(({ partition }) => partition === 0)
  // The committed offset is the last published id + 1. kafkajs gives -1 where there is none.
  const next = BigInt(at?.offset ?? -1)
  return next < 1n ? null : next - 1n
}
