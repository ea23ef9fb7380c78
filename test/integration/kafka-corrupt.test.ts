import { createRequestSource } from '../../src/kafka/consumer/kafka-request-source'
import type { KafkaOptions } from '../../src/kafka/kafka-client'
import { createTopics, describeKafka, produceRecords, uniqueTopic } from '../support/kafka'
import { healthOf, readSource, textsOf } from '../support/source-reader'
import { useRestartableKafka } from '../support/suite-kafka'

describeKafka('a batch that arrives damaged', () => {
  const kafka = useRestartableKafka()

  it('stops its partition and is reported, while the others go on and nothing of it is skipped', async () => {
    const topic = uniqueTopic('corrupt')
    await createTopics([topic], 2)
    await produceRecords(topic, [{ partition: 0, value: 'before' }])
    await produceRecords(topic, [{ partition: 0, value: 'to be damaged' }])
    await produceRecords(topic, [{ partition: 0, value: 'after' }])
    await produceRecords(topic, [{ partition: 1, value: 'elsewhere' }])
    const [link] = kafka().links
    link?.inspect((bytes, direction) => {
      const at = bytes.indexOf('to be damaged')
      if (direction === 'down' && at >= 0) bytes.write('To', at)
      return 'pass'
    })
    const options: KafkaOptions = {
      brokers: [`127.0.0.1:${link?.port}`],
      clientId: 'test',
      log: () => undefined,
    }
    const source = createRequestSource({ kafka: options, groupId: topic, topic, random: () => 0 })
    const reader = readSource(source)
    await reader.readTo(2)
    const health = await healthOf(source, ({ state }) => state === 'failed')
    expect(health.reason).toContain(`${topic}/0 is not read on: the record batch at offset 1 cannot be read`)
    expect(health.reason).toContain('its checksum is wrong')
    await produceRecords(topic, [{ partition: 1, value: 'and on' }])
    await reader.readTo(3)
    expect(textsOf(reader.records).sort()).toEqual(['and on', 'before', 'elsewhere'])
    reader.stop()
    await source.stop()
  })
})
