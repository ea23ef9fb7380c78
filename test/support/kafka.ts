import { randomBytes } from 'node:crypto'
import { type IHeaders, Kafka, logLevel, type Message, Partitioners } from 'kafkajs'

/** The run's brokers, or null where the Kafka suites are left out. */
export const testBrokers = (): string[] | null => process.env.TEST_KAFKA_BROKERS?.split(',') ?? null

/** `describe` where there is a broker; elsewhere the suite is left out, and stderr says so. */
export const describeKafka = (name: string, suite: () => void): void => {
  if (testBrokers() !== null) {
    describe(name, suite)
    return
  }
  process.stderr.write(`LEFT OUT, no Kafka: ${name}\n`)
  // Jest calls a file without any test a failure; a todo is counted apart from what passed.
  it.todo(`${name} (left out: no Kafka)`)
}

/** A client of its own for whatever the suite needs beyond these functions. */
export const testKafka = (): Kafka => {
  const brokers = testBrokers()
  if (brokers === null) throw new Error('no test broker: use describeKafka')
  return new Kafka({
    clientId: 'device-move-test',
    brokers,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 20 },
  })
}

export const uniqueTopic = (prefix: string): string => `${prefix}.${randomBytes(6).toString('hex')}`

type Admin = ReturnType<Kafka['admin']>

const withAdmin = async <T>(use: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = testKafka().admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Makes topics with so many partitions each and waits until they have leaders. */
export const createTopics = async (topics: readonly string[], partitions = 1): Promise<void> => {
  await withAdmin(admin =>
    admin.createTopics({
      waitForLeaders: true,
      topics: topics.map(topic => ({ topic, numPartitions: partitions, replicationFactor: 1 })),
    }),
  )
}

export const deleteTopics = (topics: readonly string[]): Promise<void> =>
  withAdmin(admin => admin.deleteTopics({ topics: [...topics] }))

/** Produces records as they are; of several for one partition the order is kept. */
export const produceRecords = async (topic: string, records: readonly Message[]): Promise<void> => {
  const producer = testKafka().producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  try {
    await producer.send({ topic, acks: -1, messages: [...records] })
  } finally {
    await producer.disconnect()
  }
}

export interface ReadRecord {
  readonly partition: number
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
  /** Milliseconds since 1970, as text. */
  readonly timestamp: string
}

/**
 * All committed records of a topic, by partition and offset, up to the ends the partitions have now. An open
 * transaction is waited for: its records are before the end.
 */
export const readTopic = async (topic: string): Promise<ReadRecord[]> => {
  const ends = await withAdmin(admin => admin.fetchTopicOffsets(topic))
  const missing = new Map(
    ends
      .filter(({ low, high }) => BigInt(high) > BigInt(low))
      .map(({ partition, high }) => [partition, BigInt(high)]),
  )
  const records: ReadRecord[] = []
  if (missing.size === 0) return records
  const consumer = testKafka().consumer({
    groupId: uniqueTopic('read-topic'),
    readUncommitted: false,
    maxWaitTimeInMs: 50,
  })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      const passed = (partition: number, next: bigint) => {
        const end = missing.get(partition)
        if (end !== undefined && next >= end) missing.delete(partition)
        if (missing.size === 0) resolve()
      }
      // Markers and aborted records yield no record: the offset of the whole fetched batch tells that they passed.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
        passed(payload.partition, BigInt(payload.lastOffset) + 1n),
      )
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch, resolveOffset }) => {
            for (const { offset, key, value, headers = {}, timestamp } of batch.messages) {
              records.push({ partition: batch.partition, offset, key, value, headers, timestamp })
              resolveOffset(offset)
            }
          },
        })
        .catch(reject)
    })
  } finally {
    // Its group committed nothing, so the broker forgets it with its last member.
    await consumer.disconnect()
  }
  return records.sort((a, b) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset)))
}
