import { createFakeOutcomeSink } from '../support/fake-outcome-sink'
import { createTopics, deleteTopics, describeKafka, uniqueTopic } from '../support/kafka'
import { testSink } from '../support/kafka-sink'
import { readTopic } from '../support/read-topic'
import { outcomeSinkContract } from './outcome-sink.contract'

outcomeSinkContract('the fake', async () => {
  const fake = createFakeOutcomeSink()
  return {
    sink: fake.sink,
    published: async () => fake.published().map(outcome => outcome.id),
    close: async () => undefined,
  }
})

describeKafka('Kafka', () => {
  outcomeSinkContract('Kafka', async () => {
    const topics = { results: uniqueTopic('results'), deadLetters: uniqueTopic('dead-letters') }
    await createTopics([topics.results, topics.deadLetters], 3)
    const sink = testSink(topics)
    return {
      sink,
      published: async () =>
        (await readTopic(topics.results)).map(record => Buffer.from(record.headers.ce_id ?? []).toString()),
      close: async () => {
        await sink.stop()
        await deleteTopics([topics.results, topics.deadLetters])
      },
    }
  })
})
