import { CompressionCodecs, CompressionTypes, Partitioners } from 'kafkajs'
import { createKafka } from '../../src/kafka/kafka-client'
import { registerCodecs } from '../../src/kafka/kafkajs-patches/codecs'
import { fromJavaClient } from '../support/compressed-fixtures'
import { createTopics, deleteTopics, describeKafka, uniqueTopic } from '../support/kafka'
import { testKafkaOptions, testSource } from '../support/kafka-source'
import { healthOf, readSource } from '../support/source-reader'

interface Compressor {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
}

const send = async (
  topic: string,
  partition: number,
  values: readonly (Buffer | null)[],
  compression?: CompressionTypes,
): Promise<void> => {
  const producer = createKafka(testKafkaOptions()).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  await producer.send({
    topic,
    messages: values.map(value => ({ partition, value })),
    ...(compression === undefined ? {} : { compression }),
  })
  await producer.disconnect()
}

const codecs = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const

/** Sends a batch whose records the Java client compressed: 40 requests. */
const sendOfJavaClient = async (topic: string, name: keyof typeof codecs): Promise<void> => {
  registerCodecs()
  const codec: Compressor = CompressionCodecs[codecs[name]]()
  const { compress } = codec
  codec.compress = async () => Buffer.from(fromJavaClient[name], 'base64')
  const stand = Array.from({ length: 40 }, () => Buffer.from('replaced'))
  await send(topic, 0, stand, codecs[name])
  codec.compress = compress
}

describeKafka('a reader of compressed and large records', () => {
  let topic: string
  beforeEach(async () => {
    topic = uniqueTopic('compression')
    await createTopics([topic], 2)
  })
  afterEach(() => deleteTopics([topic]))

  it('reads batches of every codec, one after the other', async () => {
    const names = ['gzip', 'snappy', 'lz4', 'zstd'] as const
    for (const name of names) await sendOfJavaClient(topic, name)
    const source = testSource(topic, topic)
    const reader = readSource(source)
    await reader.readTo(names.length * 40)
    const deviceNames = reader.records.map(
      ({ value }) => JSON.parse(Buffer.from(value ?? []).toString()).deviceName,
    )
    expect(deviceNames).toEqual(names.flatMap(() => Array.from({ length: 40 }, (_, n) => `meter-${n}`)))
    expect(reader.records.map(record => record.position.offset)).toEqual(deviceNames.map((_, n) => BigInt(n)))
    reader.stop()
    await source.stop()
  })

  it('reads a value of 2 MB and a tombstone after it, whatever the size of a fetch', async () => {
    const large = Buffer.alloc(2_000_000, 'large')
    // 2 MB only fit through the limit of the broker when compressed.
    await send(topic, 0, [large, null], CompressionTypes.GZIP)
    const source = testSource(topic, topic)
    const reader = readSource(source)
    await reader.readTo(2)
    expect(large.equals(reader.records[0]?.value ?? Buffer.alloc(0))).toBe(true)
    expect(reader.records[1]?.value).toBeNull()
    reader.stop()
    await source.stop()
  })

  it('stops only the partition of a batch that cannot be decompressed, and directly before it', async () => {
    await send(topic, 0, [Buffer.from('before')])
    await send(topic, 0, [Buffer.alloc(65 * 1024 * 1024)], CompressionTypes.GZIP)
    await send(topic, 0, [Buffer.from('after')])
    await send(topic, 1, [Buffer.from('elsewhere')])
    const source = testSource(topic, topic)
    const reader = readSource(source)
    await reader.readTo(2)
    const health = await healthOf(source, ({ state }) => state === 'failed')
    expect(health.reason).toContain(`${topic}/0 is not read on: the record batch at offset 1 cannot be read`)
    await send(topic, 1, [Buffer.from('and on')])
    await reader.readTo(3)
    const read = reader.records.map(
      ({ position, value }) => `${position.partition} ${Buffer.from(value ?? [])}`,
    )
    expect(read.sort()).toEqual(['0 before', '1 and on', '1 elsewhere'])
    reader.stop()
    await source.stop()
  })
})
