import type { Admin } from 'kafkajs'
import { TransientError } from '../ports'

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
