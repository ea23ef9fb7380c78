import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'
import { checked, untilUnreadable } from '../../../src/kafka/kafkajs-patches/checked-batches'
import { registerCodecs } from '../../../src/kafka/kafkajs-patches/codecs'

const load = createRequire(__filename)
const Decoder: new (bytes: Buffer) => Parameters<ReturnType<typeof checked>>[0] = load(
  'kafkajs/src/protocol/decoder',
)
const crc32C: (bytes: Buffer) => number = load('kafkajs/src/protocol/recordBatch/crc32C')
const decodeBatch = checked(load('kafkajs/src/protocol/recordBatch/v0/decoder'), crc32C)

/** A batch of format 2 with these bytes for its `count` records from offset 100, and with a right checksum. */
const batchOf = (records: Buffer, count: number, { codec = 0, lastDelta = count - 1 } = {}): Buffer => {
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(100n, 0)
  header.writeInt32BE(header.length - 12 + records.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(codec, 21)
  header.writeInt32BE(lastDelta, 23)
  header.writeInt32BE(count, 57)
  const batch = Buffer.concat([header, records])
  batch.writeUInt32BE(crc32C(batch.subarray(21)), 17)
  return batch
}
const garbage = Buffer.from('this is no compressed data at all')
/** One record: length, attributes, timestamp, offset, no key, the value "ab", no headers. */
const oneRecord = Buffer.from([16, 0, 0, 0, 1, 4, 97, 98, 0])
const offsetsOf = (records: readonly KafkaMessage[]): string[] => records.map(({ offset }) => offset)

describe('a record batch that cannot be read', () => {
  beforeAll(registerCodecs)

  it.each([1, 2, 3, 4])('becomes markers in its partition if it has codec %i', async codec => {
    const { records } = await decodeBatch(new Decoder(batchOf(garbage, 3, { codec })))
    expect(offsetsOf(records)).toEqual(['100', '101', '102'])
    const { readable, unreadable } = untilUnreadable(records)
    expect(readable).toEqual([])
    expect(unreadable?.offset).toBe(100n)
    expect(unreadable?.reason).toMatch(/^(gzip|snappy|lz4|zstd): ./)
  })

  it('becomes markers too if its codec is unknown or it is not compressed', async () => {
    for (const codec of [7, 0]) {
      const { records } = await decodeBatch(new Decoder(batchOf(garbage, 2, { codec })))
      expect(untilUnreadable(records)).toMatchObject({ readable: [], unreadable: { offset: 100n } })
    }
  })

  it('is recognised by its checksum even where it could be decoded', async () => {
    const good = batchOf(oneRecord, 1)
    const { records } = await decodeBatch(new Decoder(good))
    expect(untilUnreadable(records)).toMatchObject({ readable: [{ offset: '100' }], unreadable: null })
    const bad = Buffer.from(good)
    bad.writeUInt8(bad.readUInt8(bad.length - 2) ^ 1, bad.length - 2)
    const { records: markers } = await decodeBatch(new Decoder(bad))
    expect(untilUnreadable(markers)).toMatchObject({
      readable: [],
      unreadable: { offset: 100n, reason: 'its checksum is wrong' },
    })
  })

  it('does not keep the next batch from being read', async () => {
    const decoder = new Decoder(Buffer.concat([batchOf(garbage, 2, { codec: 3 }), batchOf(oneRecord, 1)]))
    expect(untilUnreadable((await decodeBatch(decoder)).records).unreadable).not.toBeNull()
    expect(untilUnreadable((await decodeBatch(decoder)).records).unreadable).toBeNull()
  })

  it('lets the records before it pass', async () => {
    const { records } = await decodeBatch(new Decoder(batchOf(garbage, 2, { codec: 3 })))
    const good = { ...records[0], headers: {}, offset: '99' } as KafkaMessage
    const parted = untilUnreadable([good, ...records])
    expect(parted.readable).toEqual([good])
    expect(parted.unreadable?.offset).toBe(100n)
    expect(untilUnreadable([good])).toEqual({ readable: [good], unreadable: null })
  })

  it('fails the fetch if even its offsets cannot be right', async () => {
    const batch = batchOf(garbage, 1, { codec: 3, lastDelta: 2_000_000_000 })
    await expect(decodeBatch(new Decoder(batch))).rejects.toMatchObject({
      name: 'UnreadableBatchError',
      retriable: false,
    })
  })

  it('is not the batch that the end of the fetch cut off: kafkajs waits for its rest', async () => {
    const batch = batchOf(oneRecord, 1)
    await expect(decodeBatch(new Decoder(batch.subarray(0, -1)))).rejects.toMatchObject({
      name: 'KafkaJSPartialMessageError',
    })
  })
})
