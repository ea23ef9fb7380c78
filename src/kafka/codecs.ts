import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { CompressionCodecs, CompressionTypes } from 'kafkajs'
import { messageOf } from '../domain/message-of'
import { UnreadableBatchError } from './checked-batches'
import { decompressLz4 } from './lz4'
import { compressSnappy, decompressSnappy } from './snappy'
import { decompressZstd } from './zstd'

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
