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
    waitForLeaders: true,
    topics: missing.map(topic => ({
      topic,
      numPartitions: partitionsOfNewTopic,
      replicationFactor: Math.min(3, brokers.length),
      // A compacted topic could stall the consumer for ever (trap 13).
      configEntries: [{ name: 'cleanup.policy', value: 'delete' }],
    })),
  })
}

/** Number of partitions of each topic, as the broker says now. */
export const partitionCounts = async (
  admin: Admin,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const metadata = await admin.fetchTopicMetadata({ topics: [...new Set(topics)] })
  return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
}
