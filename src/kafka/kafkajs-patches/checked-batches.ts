import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'
import { messageOf } from '../../domain/error-text'

/**
 * A record batch that cannot be read would make kafkajs refuse the whole fetch, that is every partition of that
 * broker, and fetch it again for ever. Instead its place is filled with one marker record an offset: the consumer
 * meets the marker in the right partition at the right offset, stops that partition and says why, and the others go on.
 */

/** Random for each process, so that no producer can forge a marker. */
const headerName = `unreadable-batch-${randomBytes(16).toString('hex')}`

/** More than a batch can have, and kafkajs overflows the stack (trap 12). */
const mostMarkers = 100_000

/** Belongs to no transaction, so that kafkajs hands it on. */
const batchContext = { producerId: '-1', inTransaction: false, isControlBatch: false }

/**
 * In place of the records of a batch that begins at `firstOffset` and ends `lastDelta` later: one an offset, since the
 * fetch may have begun in its middle. null if there cannot be so many.
 */
export const markersFor = (firstOffset: bigint, lastDelta: number, reason: string): KafkaMessage[] | null => {
  if (lastDelta < 0 || lastDelta >= mostMarkers) return null
  const headers = { [headerName]: Buffer.from(reason.slice(0, 500)) }
  return Array.from({ length: lastDelta + 1 }, (_, at) => ({
    ...{
      key: null,
      value: null,
      timestamp: '0',
      attributes: 0,
      headers,
      batchContext,
      isControlRecord: false,
    },
    offset: (firstOffset + BigInt(at)).toString(),
  }))
}

/** Why the record's batch could not be read; null for every ordinary record. */
const unreadableReason = (record: KafkaMessage): string | null => {
  const reason = record.headers?.[headerName]
  return Buffer.isBuffer(reason) ? reason.toString() || 'unreadable record batch' : null
}

export interface UntilUnreadable {
  readonly readable: readonly KafkaMessage[]
  /** The first marker; null if there is none. */
  readonly unreadable: { readonly offset: bigint; readonly reason: string } | null
}

/** Parts what may be handed on from the first marker. */
export const untilUnreadable = (records: readonly KafkaMessage[]): UntilUnreadable => {
  for (const [at, record] of records.entries()) {
    const reason = unreadableReason(record)
    if (reason === null) continue
    return { readable: records.slice(0, at), unreadable: { offset: BigInt(record.offset), reason } }
  }
  return { readable: records, unreadable: null }
}

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
