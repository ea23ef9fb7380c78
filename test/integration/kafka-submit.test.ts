import { createRequestProducer } from '../../src/kafka/publisher/request-producer'
import { createTopics, deleteTopics, describeKafka, testBrokers, uniqueTopic } from '../support/kafka'
import { testKafkaOptions } from '../support/kafka-source'
import { readTopic } from '../support/read-topic'
import { startTcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

describeKafka('the producer of requests', () => {
  let topic: string
  beforeEach(async () => {
    topic = uniqueTopic('submit')
    await createTopics([topic], 3)
  })
  afterEach(() => deleteTopics([topic]))

  it('writes every record once, those of one key in order', async () => {
    const producer = createRequestProducer({ kafka: testKafkaOptions(), topic })
    const records = Array.from({ length: 3_000 }, (_, n) => ({
      key: `device-${n % 50}`,
      value: `${n}`,
      headers: { n: `${n}` },
    }))
    await producer.send(records.slice(0, 2_000))
    await producer.send(records.slice(2_000))
    await producer.stop()
    const written = await readTopic(topic)
    expect(written.map(record => Number(record.value)).sort((a, b) => a - b)).toEqual(
      records.map((_, n) => n),
    )
    const ofOne = written.filter(record => `${record.key}` === 'device-7').map(record => Number(record.value))
    expect(ofOne).toEqual([...ofOne].sort((a, b) => a - b))
    expect(ofOne).toHaveLength(60)
    expect(new Set(written.map(record => record.partition)).size).toBe(3)
  })

  it('names a record the broker refuses, and goes on with a new producer', async () => {
    const producer = createRequestProducer({ kafka: testKafkaOptions(), topic })
    const huge = { key: 'product/huge', value: 'x'.repeat(2_000_000), headers: {} }
    await expect(producer.send([huge])).rejects.toThrow('product/huge')
    await producer.send([{ key: 'product/small', value: 'y', headers: {} }])
    await producer.stop()
    expect((await readTopic(topic)).map(record => `${record.key}`)).toEqual(['product/small'])
  })

  it('rejects when the broker cannot be reached', async () => {
    const kafka = { ...testKafkaOptions(), brokers: ['127.0.0.1:1'] }
    const producer = createRequestProducer({ kafka, topic })
    await expect(producer.send([{ key: null, value: 'x', headers: {} }])).rejects.toThrow()
    await producer.stop()
  })

  it('gives up on a broker that takes connections and answers nothing', async () => {
    const link = await startTcpProxy(1)
    link.swallow('both')
    const kafka = { ...testKafkaOptions(), brokers: [`127.0.0.1:${link.port}`] }
    const producer = createRequestProducer({ kafka, topic, giveUpMs: 300 })
    const record = { key: null, value: 'x', headers: {} }
    await expect(producer.send([record])).rejects.toThrow('no acknowledgement within 0.3 s')
    await producer.stop()
    await link.close()
  })

  it('writes nothing more of what it has given up', async () => {
    const link = await startTcpProxy(Number(testBrokers()?.[0]?.split(':')[1]))
    const kafka = { ...testKafkaOptions(), brokers: [`127.0.0.1:${link.port}`] }
    const producer = createRequestProducer({ kafka, topic, giveUpMs: 300 })
    const given = (value: string) => ({ key: 'product/device', value, headers: {} })
    // The broker answers only when the caller has stopped waiting.
    link.delay(400)
    await expect(producer.send([given('given up')])).rejects.toThrow('no acknowledgement within 0.3 s')
    link.delay(0)
    const patient = createRequestProducer({ kafka, topic })
    await patient.send([given('sent')])
    await until(async () => link.connections === 1)
    await patient.stop()
    await producer.stop()
    expect((await readTopic(topic)).map(record => `${record.value}`)).toEqual(['sent'])
    await link.close()
  })
})
