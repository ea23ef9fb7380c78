/**
 * Patch of kafkajs 2.2.4, `src/protocol/message/compression`: Kafka's four codecs, each with a limit on its output. kafkajs
 * brings gzip only, and a batch in another format ends the consumer (https://github.com/tulios/kafkajs/issues/910: codecs
 * are left to plug in). Its gzip decompresses without a limit (`gzip.js`, line 21; no issue known). A release that reads
 * snappy, lz4 and zstd within a limit would make this file and `decompression.ts` unnecessary.
 */
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { CompressionCodecs, CompressionTypes } from 'kafkajs'
import { messageOf } from '../../domain/error-text'
import { UnreadableBatchError } from './checked-batches'
import { decompressLz4, decompressSnappy, decompressZstd } from './decompression'

/** Brokers refuse batches above 1 MiB by default. A larger result than this is an accident or an attack. */
const maxDecompressedBytes = 64 * 1024 * 1024

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

/** The service reads what others compressed. It never writes these formats. */
const readOnly = (name: string) => (): never => {
  throw new Error(`${name} is read, not written: produce with gzip`)
}

const gzipAsync = promisify<Buffer, Buffer>(gzip)
const gunzipAsync = (data: Buffer, maxOutputLength: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    gunzip(data, { maxOutputLength }, (error, result) => (error === null ? resolve(result) : reject(error)))
  })

let isRegistered = false

/** Registers the four codecs with kafkajs, once. */
export const registerCodecs = (): void => {
  if (isRegistered) return
  isRegistered = true
  const algorithms: readonly [CompressionTypes, Algorithm][] = [
    [CompressionTypes.GZIP, { name: 'gzip', compress: gzipAsync, decompress: gunzipAsync }],
    [CompressionTypes.Snappy, { name: 'snappy', compress: readOnly('snappy'), decompress: decompressSnappy }],
    [CompressionTypes.LZ4, { name: 'lz4', compress: readOnly('lz4'), decompress: decompressLz4 }],
    [CompressionTypes.ZSTD, { name: 'zstd', compress: readOnly('zstd'), decompress: decompressZstd }],
  ]
  for (const [type, algorithm] of algorithms) {
    const codec = codecOf(algorithm)
    Object.assign(CompressionCodecs, { [type]: () => codec })
  }
}
