import { createFakeOutcomeSink } from '../support/fake-outcome-sink'
import { deleteTopics, describeKafka, uniqueTopic } from '../support/kafka'
import { testSink } from '../support/kafka-sink'
import { makeTopics } from '../support/kafka-source'
import { readCommitted } from '../support/read-committed'
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
    await makeTopics([topics.results, topics.deadLetters], 3)
    const sink = testSink(topics)
    return {
      sink,
      published: async () =>
        (await readCommitted(topics.results)).map(record =>
          Buffer.from(record.headers.ce_id ?? []).toString(),
        ),
      close: async () => {
        await sink.closed()
        await deleteTopics([topics.results, topics.deadLetters])
      },
    }
  })
})
