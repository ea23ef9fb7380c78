import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { Decompress } from 'fzstd'
import { CompressionCodecs, CompressionTypes } from 'kafkajs'
import { compress, uncompress } from 'snappyjs'
import { messageOf } from '../../domain/error-text'
import { UnreadableBatchError } from './checked-batches'
import { createGrowingBuffer } from './growing-buffer'
import { decompressLz4 } from './lz4'

/** The Java client frames its snappy blocks (the "xerial" stream); librdkafka writes one bare block. */
const streamMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** Magic, version and lowest compatible version. */
const streamHeaderBytes = 16

/** Uncompresses either form. Throws on bad input and when the result would be larger than `maxBytes`. */
export const decompressSnappy = (data: Buffer, maxBytes: number): Buffer => {
  if (!data.subarray(0, streamMagic.length).equals(streamMagic)) return uncompress(data, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  let at = streamHeaderBytes
  while (at < data.length) {
    // Concatenated streams repeat the header.
    if (data.subarray(at, at + streamMagic.length).equals(streamMagic)) {
      at += streamHeaderBytes
      continue
    }
    const length = data.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > data.length) throw new Error('truncated snappy stream')
    const block = uncompress(data.subarray(at + 4, end), left)
    left -= block.length
    blocks.push(block)
    at = end
  }
  return Buffer.concat(blocks)
}

/** One framed block, which every client reads. */
export const compressSnappy = (data: Buffer): Buffer => {
  const block = compress(data)
  const head = Buffer.alloc(streamHeaderBytes + 4)
  streamMagic.copy(head)
  head.writeInt32BE(1, 8)
  head.writeInt32BE(1, 12)
  head.writeInt32BE(block.length, streamHeaderBytes)
  return Buffer.concat([head, block])
}

/** The largest window zstd's own reader accepts by default. */
const maxWindowBytes = 128 * 1024 * 1024
const frameMagic = 0xfd2fb528

/** Bytes the reader would allocate at once: the window, or the whole content of a single-segment frame. */
const windowBytes = (data: Buffer): number => {
  const flags = data.readUInt8(4)
  const isSingleSegment = (flags & 0x20) !== 0
  if (!isSingleSegment) {
    const descriptor = data.readUInt8(5)
    const base = 2 ** (10 + (descriptor >> 3))
    return base + (base / 8) * (descriptor & 7)
  }
  const dictionaryIdBytes = [0, 1, 2, 4][flags & 3] ?? 0
  const at = 5 + dictionaryIdBytes
  switch (flags >> 6) {
    case 0:
      return data.readUInt8(at)
    case 1:
      return data.readUInt16LE(at) + 256
    case 2:
      return data.readUInt32LE(at)
    default:
      return Number(data.readBigUInt64LE(at))
  }
}

/** Throws on bad input and beyond `maxBytes`. */
export const decompressZstd = (data: Buffer, maxBytes: number): Buffer => {
  if (data.length < 6 || data.readUInt32LE(0) !== frameMagic) throw new Error('not a zstd frame')
  // Looked at before anything is decoded, since a few bytes can ask for gigabytes.
  if (windowBytes(data) > maxWindowBytes) throw new Error('zstd window above 128 MiB')
  const out = createGrowingBuffer(data.length * 4, maxBytes)
  const reader = new Decompress(piece => out.append(piece))
  reader.push(data, true)
  return out.bytes()
}

/** Brokers accept batches of 1 MiB unless told otherwise; more than this is an accident or an attack. */
export const maxDecompressedBytes = 64 * 1024 * 1024

/** What kafkajs expects of a codec. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(compressed: Buffer): Promise<Buffer>
}

interface Algorithm {
  readonly name: string
  readonly compress: (data: Buffer) => Buffer | Promise<Buffer>
  readonly decompress: (data: Buffer, maxBytes: number) => Buffer | Promise<Buffer>
}

const codecOf = ({ name, compress, decompress }: Algorithm): Codec => ({
  compress: async encoder => compress(encoder.buffer),
  decompress: async compressed => {
    try {
      return await decompress(compressed, maxDecompressedBytes)
    } catch (error) {
      throw new UnreadableBatchError(`${name}: ${messageOf(error)}`)
    }
  },
})

/** This service reads what others compressed; what it writes needs no more than gzip. */
const readOnly = (name: string) => (): never => {
  throw new Error(`${name} is read, not written: produce with gzip or snappy`)
}

const gzipAsync = promisify<Buffer, Buffer>(gzip)
const gunzipAsync = (data: Buffer, maxOutputLength: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    gunzip(data, { maxOutputLength }, (error, result) => (error === null ? resolve(result) : reject(error)))
  })

let isRegistered = false

/** Registers all four of Kafka's codecs with kafkajs (which brings only gzip, without a limit), once. */
export const registerCodecs = (): void => {
  if (isRegistered) return
  isRegistered = true
  const algorithms: readonly [CompressionTypes, Algorithm][] = [
    [CompressionTypes.GZIP, { name: 'gzip', compress: gzipAsync, decompress: gunzipAsync }],
    [CompressionTypes.Snappy, { name: 'snappy', compress: compressSnappy, decompress: decompressSnappy }],
    [CompressionTypes.LZ4, { name: 'lz4', compress: readOnly('lz4'), decompress: decompressLz4 }],
    [CompressionTypes.ZSTD, { name: 'zstd', compress: readOnly('zstd'), decompress: decompressZstd }],
  ]
  for (const [type, algorithm] of algorithms) {
    const codec = codecOf(algorithm)
    Object.assign(CompressionCodecs, { [type]: () => codec })
  }
}
