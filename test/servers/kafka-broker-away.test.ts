import { readRequestLog, withAdmin } from '../../src/kafka/admin'
import { createRequestSource, type KafkaRequestSource } from '../../src/kafka/consumer/kafka-request-source'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { describeKafka, produceRecords, uniqueTopic, withTestAdmin } from '../support/kafka'
import { type KafkaCluster, startKafkaCluster } from '../support/kafka-cluster'
import { type LogLine, testKafkaOptions } from '../support/kafka-source'
import { readTopic } from '../support/read-topic'
import { untilReady, untilUnready } from '../support/readiness'
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
  let deployment: Deployment | undefined
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
    await deployment?.stop()
    reader?.stop()
    await source?.stop()
  })

  const write = (...values: readonly (readonly [number, string])[]): Promise<void> =>
    produceRecords(
      topic,
      values.map(([partition, value]) => ({ partition, value })),
    )
  /** Reads until exactly these have come. Without a journal's positions some may come again. */
  const readAll = async (texts: readonly string[]): Promise<void> => {
    const seen = (): string[] => [...new Set(textsOf(reader.records))].sort()
    while (seen().length < texts.length) await reader.readTo(reader.records.length + 1)
    expect(seen()).toEqual(texts)
  }
  /** Whether the first broker has noticed that the second one is gone. Until then clients are still sent to it. */
  const isAlone = (): Promise<boolean> =>
    withAdmin(testKafkaOptions(), admin => admin.describeCluster()).then(
      found => found.brokers.length === 1,
      () => false,
    )
  const partitionOneIsMissed = () =>
    healthOf(source, ({ reason }) => reason?.includes(`${topic}/1 is not read: it has no leader`) === true)

  it('the other partitions are read on, and the one without a leader as soon as it has one', async () => {
    await write([0, 'a'], [1, 'b'], [2, 'c'])
    reader = readSource(source)
    await readAll(['a', 'b', 'c'])
    await cluster.killSecond()
    const health = await partitionOneIsMissed()
    expect(health).toMatchObject({ state: 'failed', reason: expect.not.stringContaining(`${topic}/2`) })
    await write([0, 'd'], [2, 'e'])
    await readAll(['a', 'b', 'c', 'd', 'e'])
    await cluster.startSecond()
    await write([1, 'f'])
    await readAll(['a', 'b', 'c', 'd', 'e', 'f'])
    await healthOf(source, ({ state, reason }) => state === 'assigned' && reason === null)
  })

  it('a service that starts meanwhile reads what has a leader, and the rest from where it stood', async () => {
    await write([0, 'a'], [1, 'b'], [2, 'c'])
    await cluster.killSecond()
    reader = readSource(source)
    await partitionOneIsMissed()
    await readAll(['a', 'c'])
    await cluster.startSecond()
    await readAll(['a', 'b', 'c'])
    await healthOf(source, ({ state }) => state === 'assigned')
  })

  it('the command that asks how far the topic reaches refuses to answer for a part of it', async () => {
    await cluster.killSecond()
    const answer = (): Promise<string> =>
      withAdmin(testKafkaOptions(), admin => readRequestLog(admin, topic, topic)).then(
        () => 'answered',
        error => String(error),
      )
    await until(isAlone)
    expect(await answer()).toContain(`${topic}/1 has no leader`)
    await cluster.startSecond()
  })

  it('a service moves what it reads, and publishes each outcome once, when its partition has a leader again', async () => {
    deployment = await createDeployment(quickJobs, { KAFKA_RESULTS_TOPIC: topic })
    const service = deployment.run()
    await deployment.submit(names('before', 40))
    await deployment.settled(40)
    await deployment.published()
    await cluster.killSecond()
    await until(isAlone)
    await deployment.submit(names('during', 40))
    expect(await deployment.settled(80)).toMatchObject({ moved: 80, gap: 0 })
    await untilUnready(service, `${topic}/1 has no leader`)
    await cluster.startSecond()
    await deployment.published()
    await untilReady(service)
    const ids = (await readTopic(topic)).map(({ value }) => (JSON.parse(String(value)) as { id: string }).id)
    expect(ids).toHaveLength(80)
    expect(new Set(ids).size).toBe(80)
  })
})
