import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'
import { messageOf } from '../domain/message-of'
import { markersFor } from './unreadable-batch'

/** Never retried by kafkajs: the same bytes stay unreadable. */
export class UnreadableBatchError extends Error {
  override readonly name = 'UnreadableBatchError'
  readonly retriable = false
}

/** As kafkajs reads what it fetched. */
interface Decoder {
  readonly buffer: Buffer
  readonly offset: number
  forward(bytes: number): void
}
type DecodeBatch = (decoder: Decoder) => Promise<{ readonly records: readonly KafkaMessage[] }>

/** Of a batch of format 2: base offset, length, epoch, magic, CRC, and from here on what the CRC is of. */
const lengthAt = 8
const sizedFrom = 12
const magicAt = 16
const crcAt = 17
const summedFrom = 21
const lastDeltaAt = 23
const headerBytes = 61

const load = createRequire(__filename)
const decoderPath = 'kafkajs/src/protocol/recordBatch/v0/decoder'

/** The bytes of the batch that comes next; null if only its beginning was fetched, or it is of another format. */
const nextBatch = ({ buffer, offset }: Decoder): Buffer | null => {
  if (buffer.length - offset < headerBytes || buffer.readInt8(offset + magicAt) !== 2) return null
  const end = offset + sizedFrom + buffer.readInt32BE(offset + lengthAt)
  return end > buffer.length || end < offset + headerBytes ? null : buffer.subarray(offset, end)
}

/**
 * `decode`, made to give markers in place of a batch that it cannot read, or whose checksum is wrong: kafkajs checks
 * none, and refuses a whole fetch, every partition of that broker, for one batch that it cannot read, again and again.
 */
export const checked =
  (decode: DecodeBatch, crc32C: (bytes: Buffer) => number): DecodeBatch =>
  async decoder => {
    const batch = nextBatch(decoder)
    // Cut off where the fetch ends: kafkajs knows that case.
    if (batch === null) return decode(decoder)
    const { offset } = decoder
    const markers = (reason: string) => {
      const records = markersFor(batch.readBigInt64BE(0), batch.readInt32BE(lastDeltaAt), reason)
      if (records === null) throw new UnreadableBatchError(`a record batch cannot be read: ${reason}`)
      // To the end of the batch, wherever reading it came to.
      decoder.forward(offset + batch.length - decoder.offset)
      return { records }
    }
    if (batch.readUInt32BE(crcAt) !== crc32C(batch.subarray(summedFrom)))
      return markers('its checksum is wrong')
    try {
      return await decode(decoder)
    } catch (error) {
      return markers(messageOf(error))
    }
  }

let isInstalled = false

/**
 * Puts the check in the place of kafkajs's own decoder of record batches, which it loads at its first fetch. Throws if
 * this is another kafkajs than the one this was made for.
 */
export const checkBatches = (): void => {
  if (isInstalled) return
  const { version }: { version: string } = load('kafkajs/package.json')
  if (version !== '2.2.4') throw new Error(`record batches cannot be checked with kafkajs ${version}`)
  isInstalled = true
  const decode: DecodeBatch = load(decoderPath)
  const module = load.cache[load.resolve(decoderPath)]
  if (module === undefined) throw new Error('the decoder of record batches is not where it is looked for')
  module.exports = checked(decode, load('kafkajs/src/protocol/recordBatch/crc32C'))
}
