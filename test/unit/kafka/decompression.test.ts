import { gunzipSync } from 'node:zlib'
import { CompressionCodecs, CompressionTypes } from 'kafkajs'
import { registerCodecs } from '../../../src/kafka/kafkajs-patches/codecs'
import {
  decompressLz4,
  decompressSnappy,
  decompressZstd,
} from '../../../src/kafka/kafkajs-patches/decompression'
import {
  framesOfPlain,
  fromJavaClient,
  plain,
  snappyBlock,
  snappyStream,
} from '../../support/compressed-fixtures'

const mebibyte = 1024 * 1024
const readers = { snappy: decompressSnappy, lz4: decompressLz4, zstd: decompressZstd }
const names = ['snappy', 'lz4', 'zstd'] as const
const of = (base64: string): Buffer => Buffer.from(base64, 'base64')
const deviceNames = (records: Buffer): string[] => records.toString('latin1').match(/meter-\d+/g) ?? []

describe('decompression', () => {
  it.each(names)('reads %s batches of the Java client', name => {
    const expected = deviceNames(gunzipSync(of(fromJavaClient.gzip)))
    expect(expected).toHaveLength(40)
    expect(deviceNames(readers[name](of(fromJavaClient[name]), mebibyte))).toEqual(expected)
  })

  const frames = (['lz4', 'zstd'] as const).flatMap(name =>
    Object.entries(framesOfPlain[name]).map(([how, frame]) => ({ name, how, frame: of(frame) })),
  )
  it.each(frames)('reads one and two frames of $name, $how', ({ name, frame }) => {
    expect(readers[name](frame, mebibyte).equals(plain)).toBe(true)
    const twice = readers[name](Buffer.concat([frame, frame]), mebibyte)
    expect(twice.equals(Buffer.concat([plain, plain]))).toBe(true)
  })

  it.each(names)('throws when %s would give more bytes than the limit', name => {
    const compressed =
      name === 'snappy' ? snappyStream(plain) : of(Object.values(framesOfPlain[name])[0] ?? '')
    expect(readers[name](compressed, plain.length)).toHaveLength(plain.length)
    expect(() => readers[name](compressed, plain.length - 1)).toThrow()
  })

  it.each(names)('throws for %s that is cut off or is no compressed data', name => {
    const whole = of(fromJavaClient[name])
    expect(() => readers[name](whole.subarray(0, whole.length - 9), mebibyte)).toThrow()
    expect(() => readers[name](Buffer.from('certainly not compressed'), mebibyte)).toThrow()
  })

  it('throws for a zstd window of gigabytes before it allocates it', () => {
    const frame = of(Object.values(framesOfPlain.zstd)[0] ?? '')
    const huge = Buffer.from(frame)
    // The flags say that it is no single segment. The window descriptor is the largest.
    huge.writeUInt8(0x00, 4)
    huge.writeUInt8(0xf8, 5)
    expect(() => decompressZstd(huge, mebibyte)).toThrow('window')
  })

  it('reads a bare snappy block, as librdkafka writes it', () => {
    expect(decompressSnappy(snappyBlock(plain), mebibyte).equals(plain)).toBe(true)
  })

  it.each([0, 1, 12, 13, 70_000])('reads a snappy stream of %i bytes', length => {
    const data = Buffer.from(Array.from({ length }, (_, at) => (at * 7919) % 251))
    expect(decompressSnappy(snappyStream(data), mebibyte).equals(data)).toBe(true)
  })

  it('has no counterpart for snappy, lz4 and zstd: compressing with them throws', async () => {
    registerCodecs()
    for (const type of [CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD] as const) {
      const codec: { compress(encoder: { buffer: Buffer }): Promise<Buffer> } = CompressionCodecs[type]()
      await expect(codec.compress({ buffer: plain })).rejects.toThrow('is read, not written')
    }
  })
})
