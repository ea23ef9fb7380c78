import { produceRecords, testKafka, uniqueTopic, withTestAdmin } from './kafka'

const markName = 'end-mark'

export interface ReadRecord {
  readonly partition: number
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
}

/**
 * All records of committed transactions, by partition and offset. A mark is appended to every partition and read up
 * to: a reader of committed records sees it only once the transactions before it have ended, and the ends that
 * kafkajs tells leave out what was committed a moment ago. Not for a topic that somebody else reads meanwhile.
 */
export const readTopic = async (topic: string): Promise<ReadRecord[]> => {
  const { topics } = await withTestAdmin(admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const unread = new Set(topics.flatMap(({ partitions }) => partitions.map(({ partitionId }) => partitionId)))
  const mark = uniqueTopic('mark')
  await produceRecords(
    topic,
    [...unread].map(partition => ({ partition, value: null, headers: { [markName]: mark } })),
  )
  // By place: a partition that is fetched again counts once.
  const records = new Map<string, ReadRecord>()
  const consumer = testKafka().consumer({ groupId: mark, readUncommitted: false, maxWaitTimeInMs: 50 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch: { partition, messages }, resolveOffset }) => {
            for (const { offset, key, value, headers: raw = {} } of messages) {
              const headers = Object.fromEntries(
                Object.entries(raw).map(([name, bytes]) => [name, Buffer.from(String(bytes))]),
              )
              if (headers[markName] === undefined)
                records.set(`${partition}/${offset}`, {
                  partition,
                  offset: BigInt(offset),
                  key,
                  value,
                  headers,
                })
              else if (String(headers[markName]) === mark) unread.delete(partition)
              resolveOffset(offset)
            }
            if (unread.size === 0) resolve()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
    await withTestAdmin(admin => admin.deleteGroups([mark]))
  }
  return [...records.values()].sort(
    (a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset),
  )
}
