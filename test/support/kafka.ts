import { randomBytes } from 'node:crypto'
import { Kafka, logLevel, type Message, Partitioners } from 'kafkajs'
import { ensureTopics } from '../../src/kafka/admin'

/** The run's brokers, or null where the Kafka suites are left out. */
export const testBrokers = (): string[] | null => process.env.TEST_KAFKA_BROKERS?.split(',') ?? null

/** `describe` where there is a broker. Elsewhere it leaves the suite out and says so on stderr. */
export const describeKafka = (name: string, suite: () => void): void => {
  if (testBrokers() !== null) {
    describe(name, suite)
    return
  }
  process.stderr.write(`LEFT OUT, no Kafka: ${name}\n`)
  // Jest fails on a file without a test, and counts a todo apart from what has passed.
  it.todo(`${name} (left out: no Kafka)`)
}

/** A client for what a suite needs beyond these functions. */
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

/** Runs `use` with an admin connection of its own and closes it. */
export const withTestAdmin = async <T>(use: (admin: Admin) => Promise<T>): Promise<T> => {
  const admin = testKafka().admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Makes topics, and resolves when the broker knows them and their partitions have leaders. */
export const createTopics = (topics: readonly string[], partitions = 1): Promise<void> =>
  withTestAdmin(admin => ensureTopics(admin, topics, true, partitions))

export const deleteTopics = (topics: readonly string[]): Promise<void> =>
  withTestAdmin(admin => admin.deleteTopics({ topics: [...topics] }))

/** Produces records as they are, `atOnce` in a send. Of several for one partition the order is kept. */
export const produceRecords = async (
  topic: string,
  records: readonly Message[],
  atOnce = records.length,
): Promise<void> => {
  // The producer is idempotent because a whole send is repeated when one partition refuses it for want of a leader.
  const producer = testKafka().producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
  })
  await producer.connect()
  try {
    for (let from = 0; from < records.length; from += atOnce)
      await producer.send({ topic, acks: -1, messages: records.slice(from, from + atOnce) })
  } finally {
    await producer.disconnect()
  }
}
