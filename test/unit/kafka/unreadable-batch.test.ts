import { createRequire } from 'node:module'
import { CompressionCodecs, CompressionTypes, type KafkaMessage } from 'kafkajs'
import { registerCodecs } from '../../../src/kafka/codecs'
import { markersInPlaceOf, untilUnreadable } from '../../../src/kafka/unreadable-batch'

const load = createRequire(__filename)
const Decoder: new (bytes: Buffer) => object = load('kafkajs/src/protocol/decoder')
const decodeBatch: (decoder: object) => Promise<{ records: KafkaMessage[] }> = load(
  'kafkajs/src/protocol/recordBatch/v0/decoder',
)

/** A v2 batch of `count` records from offset 100 whose records section is garbage. */
const garbageBatch = (codec: number, count: number): Buffer => {
  const garbage = Buffer.from('this is no compressed data at all')
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(100n, 0)
  header.writeInt32BE(header.length - 12 + garbage.length, 8)
  header.writeInt8(2, 16)
  header.writeInt16BE(codec, 21)
  header.writeInt32BE(count - 1, 23)
  header.writeInt32BE(count, 57)
  return Buffer.concat([Buffer.from('before'), header, garbage]).subarray(6)
}

describe('a record batch that cannot be decompressed', () => {
  beforeAll(registerCodecs)

  it.each([1, 2, 3, 4])('stands in its partition as markers (codec %i)', async codec => {
    const { records } = await decodeBatch(new Decoder(garbageBatch(codec, 3)))
    expect(records.map(record => record.offset)).toEqual(['100', '101', '102'])
    const { readable, unreadable } = untilUnreadable(records)
    expect(readable).toEqual([])
    expect(unreadable?.offset).toBe(100n)
    expect(unreadable?.reason).toMatch(/^(gzip|snappy|lz4|zstd): ./)
  })

  it('lets what was read before it pass', async () => {
    const { records } = await decodeBatch(new Decoder(garbageBatch(3, 2)))
    const good = { ...records[0], headers: {}, offset: '99' } as KafkaMessage
    const parted = untilUnreadable([good, ...records])
    expect(parted.readable).toEqual([good])
    expect(parted.unreadable?.offset).toBe(100n)
    expect(untilUnreadable([good])).toEqual({ readable: [good], unreadable: null })
  })

  it('knows a batch by its header, and makes no markers without one', () => {
    const batch = garbageBatch(3, 2)
    expect(markersInPlaceOf(batch.subarray(61), 3, 'why')).not.toBeNull()
    expect(markersInPlaceOf(batch.subarray(61), 4, 'why')).toBeNull()
    expect(markersInPlaceOf(batch.subarray(60), 3, 'why')).toBeNull()
    expect(markersInPlaceOf(Buffer.from(new Uint8Array(20).buffer), 3, 'why')).toBeNull()
  })

  it('fails the fetch where no header lies before it', async () => {
    const codec: { decompress(data: Buffer): Promise<Buffer> } = CompressionCodecs[CompressionTypes.LZ4]()
    await expect(codec.decompress(Buffer.from(new Uint8Array(8).buffer))).rejects.toMatchObject({
      name: 'UnreadableBatchError',
      retriable: false,
    })
  })
})
