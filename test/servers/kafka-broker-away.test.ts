import { createRequestSource, type KafkaRequestSource } from '../../src/kafka/consumer/kafka-request-source'
import { describeKafka, produceRecords, uniqueTopic, withTestAdmin } from '../support/kafka'
import { type KafkaCluster, startKafkaCluster } from '../support/kafka-cluster'
import { type LogLine, testKafkaOptions } from '../support/kafka-source'
import { healthOf, readSource, type SourceReader, textsOf } from '../support/source-reader'
import { until } from '../support/until'

jest.setTimeout(120_000)

/** A topic with a partition on the first broker, one on the second, and one on both, led by the second. */
const createSpreadTopic = (topic: string): Promise<void> =>
  withTestAdmin(async admin => {
    const replicaAssignment = [1, 2, 2].map((broker, partition) => ({ partition, replicas: [broker] }))
    await admin.createTopics({
      topics: [{ topic, numPartitions: -1, replicationFactor: -1, replicaAssignment }],
    })
    // All partitions of a new topic have the same number of replicas.
    const partitionAssignment = [{ partition: 2, replicas: [2, 1] }]
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
    await until(async () => {
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] })
      return metadata.topics[0]?.partitions.find(({ partitionId }) => partitionId === 2)?.isr.length === 2
    })
  })

describeKafka('with one of two brokers away,', () => {
  let cluster: KafkaCluster
  let topic: string
  let source: KafkaRequestSource
  let reader: SourceReader
  const lines: LogLine[] = []
  const shared = process.env.TEST_KAFKA_BROKERS

  beforeAll(async () => {
    cluster = await startKafkaCluster()
    process.env.TEST_KAFKA_BROKERS = cluster.brokers.join(',')
  })
  afterAll(async () => {
    process.env.TEST_KAFKA_BROKERS = shared
    await cluster.stop()
  })
  beforeEach(async () => {
    topic = uniqueTopic('spread')
    await createSpreadTopic(topic)
    source = createRequestSource({
      kafka: testKafkaOptions(lines),
      groupId: topic,
      topic,
      random: () => 0,
    })
  })
  afterEach(async () => {
    reader?.stop()
    await source?.stop()
  })

  const write = (...values: readonly (readonly [number, string])[]): Promise<void> =>
    produceRecords(
      topic,
      values.map(([partition, value]) => ({ partition, value })),
    )
  const partitionOneIsMissed = () =>
    healthOf(source, ({ reason }) => reason?.includes(`${topic}/1 is not read: it has no leader`) === true)

  it('the other partitions are read on, and the one without a leader as soon as it has one', async () => {
    await write([0, 'a'], [1, 'b'], [2, 'c'])
    reader = readSource(source)
    await reader.readTo(3)
    await cluster.killSecond()
    const health = await partitionOneIsMissed()
    expect(health).toMatchObject({ state: 'failed', reason: expect.not.stringContaining(`${topic}/2`) })
    await write([0, 'd'], [2, 'e'])
    await reader.readTo(5)
    await cluster.startSecond()
    await write([1, 'f'])
    await reader.readTo(6)
    await healthOf(source, ({ state, reason }) => state === 'assigned' && reason === null)
    expect(textsOf(reader.records).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  it('a service that starts meanwhile reads what has a leader, and the rest from where it stood', async () => {
    await write([0, 'a'], [1, 'b'], [2, 'c'])
    await cluster.killSecond()
    reader = readSource(source)
    await partitionOneIsMissed()
    await reader.readTo(2)
    await cluster.startSecond()
    await reader.readTo(3)
    await healthOf(source, ({ state }) => state === 'assigned')
    expect(textsOf(reader.records).sort()).toEqual(['a', 'b', 'c'])
  })
})
