import { KafkaJSDeleteGroupsError } from 'kafkajs'
import { produceRecords, testKafka, uniqueTopic, withTestAdmin } from './kafka'

const groupIdNotFound = 69
const markName = 'end-mark'

export interface ReadRecord {
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
}

/** A group without offsets may disappear by itself once its last member has left. */
const isGone = (error: unknown): boolean =>
  error instanceof KafkaJSDeleteGroupsError &&
  error.groups?.every(({ errorCode }) => errorCode === groupIdNotFound) === true

/**
 * Hands on every record of committed transactions once, by offset within a partition. A mark is appended to every
 * partition and read up to: a reader of committed records sees it only once the transactions before it have ended,
 * and the ends that kafkajs reports leave out what was committed a moment ago. Other readers
 * of the topic see the mark.
 */
export const eachRecord = async (topic: string, visit: (record: ReadRecord) => void): Promise<void> => {
  const { topics } = await withTestAdmin(admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const unread = new Set(topics.flatMap(({ partitions }) => partitions.map(({ partitionId }) => partitionId)))
  const mark = uniqueTopic('mark')
  await produceRecords(
    topic,
    [...unread].map(partition => ({ partition, value: null, headers: { [markName]: mark } })),
  )
  // A partition that is fetched again counts once.
  const next = new Map<number, bigint>()
  const consumer = testKafka().consumer({ groupId: mark, readUncommitted: false, maxWaitTimeInMs: 50 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      // kafkajs restarts by itself after passing faults, such as a coordinator that is still loading.
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error)
      })
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch: { partition, messages }, resolveOffset }) => {
            for (const { offset: place, key, value, headers: raw = {} } of messages) {
              resolveOffset(place)
              const offset = BigInt(place)
              if (offset < (next.get(partition) ?? 0n)) continue
              next.set(partition, offset + 1n)
              const headers = Object.fromEntries(
                Object.entries(raw).map(([name, bytes]) => [name, Buffer.from(String(bytes))]),
              )
              if (headers[markName] === undefined) visit({ partition, offset, key, value, headers })
              else if (String(headers[markName]) === mark) unread.delete(partition)
            }
            if (unread.size === 0) resolve()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
    await withTestAdmin(admin =>
      admin.deleteGroups([mark]).catch((error: unknown) => {
        if (!isGone(error)) throw error
      }),
    )
  }
}

/** All records of committed transactions, by partition and offset; see `eachRecord`. */
export const readTopic = async (topic: string): Promise<ReadRecord[]> => {
  const records: ReadRecord[] = []
  await eachRecord(topic, record => records.push(record))
  return records.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset))
}
