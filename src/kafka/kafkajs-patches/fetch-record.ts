/**
 * Reads single records without a consumer. kafkajs offers no such thing: its consumers join a group, which takes seconds and
 * a permission of its own. Its own connection to a cluster can fetch, and is made here by the client's private method.
 */
import type { Kafka, KafkaMessage } from 'kafkajs'

interface FetchedPartition {
  readonly messages: readonly FetchedRecord[]
}

interface Broker {
  fetch(request: {
    readonly isolationLevel: number
    readonly maxWaitTime: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly {
        readonly partition: number
        readonly fetchOffset: string
        readonly maxBytes: number
      }[]
    }[]
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] }>
}

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, number[]>>
  findBroker(at: { readonly nodeId: string }): Promise<Broker>
}

type ClusterMaker = (options: { readonly allowAutoTopicCreation: boolean }) => Cluster

const clusterOf = (kafka: Kafka): Cluster => {
  const hidden = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  const make: unknown = hidden === undefined ? undefined : Reflect.get(kafka, hidden)
  if (typeof make !== 'function') throw new Error('this version of kafkajs has another inside')
  return (make as ClusterMaker)({ allowAutoTopicCreation: false })
}

/** A record as it was fetched. Control records are those of transactions. */
export type FetchedRecord = KafkaMessage & { readonly isControlRecord?: boolean }

/** Reads the batch of records that holds an offset of a partition, or the next one where none does. */
export type FetchBatch = (partition: number, offset: bigint) => Promise<readonly FetchedRecord[]>

const readUncommitted = 0
const maxWaitMs = 1_000

/** Runs `work` with a connection to the leaders of `topic`, and closes it. */
export const withFetch = async <T>(
  kafka: Kafka,
  topic: string,
  work: (fetchBatch: FetchBatch) => Promise<T>,
  close: (closing: Promise<unknown>) => Promise<unknown>,
): Promise<T> => {
  const cluster = clusterOf(kafka)
  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    return await work(async (partition, offset) => {
      const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
      if (nodeId === undefined) throw new Error(`${topic}/${partition} has no leader`)
      const broker = await cluster.findBroker({ nodeId })
      // The broker gives at least one whole batch, however small the limit: the one that holds the offset.
      const { responses } = await broker.fetch({
        isolationLevel: readUncommitted,
        maxWaitTime: maxWaitMs,
        minBytes: 1,
        maxBytes: 1,
        topics: [{ topic, partitions: [{ partition, fetchOffset: offset.toString(), maxBytes: 1 }] }],
      })
      return responses[0]?.partitions[0]?.messages ?? []
    })
  } finally {
    await close(cluster.disconnect())
  }
}
