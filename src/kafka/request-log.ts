import type { Admin } from 'kafkajs'
import type { Watermarks } from './place-partition'

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
