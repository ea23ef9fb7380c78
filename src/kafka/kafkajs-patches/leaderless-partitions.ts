/**
 * Patch of kafkajs 2.2.4: one partition without a leader makes every answer about topics an error, whoever's topic it is
 * (`src/protocol/requests/metadata/v0/response.js`, line 54). So one broker that is away stops the reading of all
 * partitions. Here such a partition is one whose leader is -1, and only what asks for that leader fails. A release that
 * answers so would make this file unnecessary.
 */
import { createRequire } from 'node:module'
import { messageOf } from '../../domain/error-text'

interface PartitionMetadata {
  partitionErrorCode: number
  readonly partitionId: number
  readonly leader: number
}

interface Metadata {
  readonly topicMetadata: readonly {
    readonly topic: string
    readonly partitionMetadata: readonly PartitionMetadata[]
  }[]
}

interface MetadataResponse {
  parse: (data: Metadata) => Promise<Metadata>
}

interface BrokerPool {
  readonly metadata: Metadata | null
  metadataExpireAt: number | null
  readonly logger: { info(text: string, fields: Readonly<Record<string, unknown>>): void }
  refreshMetadata(topics: readonly string[]): Promise<void>
}

interface TopicOffsets {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number }[]
}

interface Cluster {
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[]
  fetchTopicsOffset(topics: readonly TopicOffsets[]): Promise<TopicOffsets[]>
}

/** LEADER_NOT_AVAILABLE, REPLICA_NOT_AVAILABLE, LISTENER_NOT_FOUND: nobody can be asked for the partition now. */
const unavailable = new Set([5, 9, 72])
/** While a partition has no leader the topics are asked about this often, ms. */
const askAgainMs = 2_000

/** The line that kafkajs logs at each look at a topic that has, or has just had, partitions without a leader. */
const leaderlessText = 'Partitions without a leader'

/** The partitions of `topic` that have no leader now, if the log line says so; null for any other line. */
export const leaderlessIn = (
  text: string,
  fields: Readonly<Record<string, unknown>>,
  topic: string,
): readonly number[] | null => {
  if (text !== `kafka: ${leaderlessText}` || fields.topic !== topic) return null
  return String(fields.partitions)
    .split(',')
    .filter(partition => partition !== '')
    .map(Number)
}

const tolerate = (response: MetadataResponse): void => {
  const { parse } = response
  response.parse = data => {
    for (const { partitionMetadata } of data.topicMetadata)
      for (const partition of partitionMetadata)
        if (partition.leader < 0 && unavailable.has(partition.partitionErrorCode))
          partition.partitionErrorCode = 0
    return parse(data)
  }
}

/** Tells of each topic's partitions without a leader, and asks again soon while there are any. */
const watchLeaders = (prototype: BrokerPool): void => {
  const { refreshMetadata } = prototype
  const told = new WeakMap<BrokerPool, Set<string>>()
  prototype.refreshMetadata = async function (this: BrokerPool, topics): Promise<void> {
    await refreshMetadata.call(this, topics)
    const before = told.get(this) ?? new Set()
    const now = new Set<string>()
    for (const { topic, partitionMetadata } of this.metadata?.topicMetadata ?? []) {
      const without = partitionMetadata.filter(({ leader }) => leader < 0)
      if (without.length > 0) now.add(topic)
      if (without.length > 0 || before.has(topic))
        this.logger.info(leaderlessText, {
          topic,
          partitions: without.map(({ partitionId }) => partitionId).join(','),
        })
    }
    told.set(this, now)
    if (now.size > 0 && this.metadataExpireAt !== null)
      this.metadataExpireAt = Math.min(this.metadataExpireAt, Date.now() + askAgainMs)
  }
}

/** Asks the leaders that there are for the offsets of their partitions. kafkajs looks for a broker with the number -1. */
const askLeadersOnly = (prototype: Cluster): void => {
  const { fetchTopicsOffset } = prototype
  prototype.fetchTopicsOffset = async function (this: Cluster, topics) {
    const led = topics.map(each => {
      const metadata = this.findTopicPartitionMetadata(each.topic)
      const without = new Set(
        metadata.filter(({ leader }) => leader < 0).map(({ partitionId }) => partitionId),
      )
      return { ...each, partitions: each.partitions.filter(({ partition }) => !without.has(partition)) }
    })
    const found = await fetchTopicsOffset.call(
      this,
      led.filter(({ partitions }) => partitions.length > 0),
    )
    // kafkajs relies on an entry for each topic.
    return topics.map(({ topic }) => found.find(each => each.topic === topic) ?? { topic, partitions: [] })
  }
}

/** Whether what was sent to a partition got nowhere because it has no leader. kafkajs repeats that for a while first. */
export const isLeaderless = (error: unknown): boolean => /^Broker -1 not found/.test(messageOf(error))

let isPatched = false

/** Lets everything go on for the partitions that have a leader. Other releases are left as they are. */
export const allowLeaderlessPartitions = (): void => {
  const load = createRequire(__filename)
  const { version }: { version: string } = load('kafkajs/package.json')
  if (isPatched || version !== '2.2.4') return
  isPatched = true
  for (const protocol of [0, 1, 2, 3, 4, 5, 6])
    tolerate(load(`kafkajs/src/protocol/requests/metadata/v${protocol}/response`) as MetadataResponse)
  watchLeaders((load('kafkajs/src/cluster/brokerPool') as { prototype: BrokerPool }).prototype)
  askLeadersOnly((load('kafkajs/src/cluster') as { prototype: Cluster }).prototype)
}
