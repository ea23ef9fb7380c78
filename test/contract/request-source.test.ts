import { createDraw } from '../simulation/draw'
import { createRequestTopic } from '../simulation/ports/request-topic'
import { realTime } from '../simulation/real-time'
import { createFakeRequestSource } from '../support/fake-request-source'
import { createTopics, deleteTopics, describeKafka, produceRecords, uniqueTopic } from '../support/kafka'
import { deleteBefore, testSource } from '../support/kafka-source'
import { requestSourceContract } from './request-source.contract'

requestSourceContract('the fake', async () => {
  const fake = createFakeRequestSource({ topic: 'requests', partitions: 2 })
  return {
    source: fake.source,
    topic: 'requests',
    produce: async (partition, records) => {
      for (const { key, value, headers = {} } of records) {
        fake.produce(partition, {
          key: key === null ? null : Buffer.from(key),
          value,
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, text]) => [name.toLowerCase(), Buffer.from(text)]),
          ),
        })
      }
    },
    deleteBefore: async (partition, offset) => fake.deleteBefore(partition, offset),
    close: async () => undefined,
  }
})

requestSourceContract('of the simulation', async () => {
  const clock = realTime()
  const fake = createRequestTopic({
    clock,
    draw: createDraw(Math.random),
    topic: 'requests',
    partitions: 2,
    sessionMs: 1_000,
    chunkRecords: 500,
    latencyMs: () => 1,
  })
  const bytes = (texts: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name.toLowerCase(), Buffer.from(text)]))
  return {
    source: fake.source(clock.process('one')),
    topic: 'requests',
    produce: async (partition, records) => {
      for (const { key, value, headers = {} } of records)
        fake.produce(partition, {
          key: key === null ? null : Buffer.from(key),
          value,
          headers: bytes(headers),
          timestampMs: 0,
        })
    },
    deleteBefore: async (partition, offset) => fake.deleteBefore(partition, offset),
    close: async () => undefined,
  }
})

describeKafka('Kafka', () => {
  requestSourceContract('Kafka', async () => {
    const topic = uniqueTopic('source')
    await createTopics([topic], 2)
    const source = testSource(topic, `${topic}.group`)
    return {
      source,
      topic,
      produce: (partition, records) =>
        produceRecords(
          topic,
          records.map(record => ({ ...record, partition })),
        ),
      deleteBefore: (partition, offset) => deleteBefore(topic, partition, offset),
      close: async () => {
        await source.stop()
        await deleteTopics([topic])
      },
    }
  })
})
