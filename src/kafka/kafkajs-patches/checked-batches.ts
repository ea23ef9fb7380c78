/**
 * Patch of kafkajs 2.2.4, `src/protocol/recordBatch/v0/decoder.js`: a record batch that cannot be read stops its own
 * partition only. kafkajs checks no CRC (line 50; https://github.com/tulios/kafkajs/issues/17) and refuses the whole fetch
 * for one batch that it cannot decode, so that every partition of that broker is fetched again for ever (issues #715 and
 * #1440). Here the place of such a batch is filled with marker records, one for each offset. The consumer meets them in the
 * right partition at the right offset, pauses that partition and says why. A release that checks the CRC and reports an
 * unreadable batch per partition would make this file unnecessary.
 */
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import type { KafkaMessage } from 'kafkajs'
import { messageOf } from '../../domain/error-text'

/** Name of the header that marks a marker. It is random for each process, so that no producer can forge it. */
const headerName = `unreadable-batch-${randomBytes(16).toString('hex')}`

/**
 * kafkajs overflows the stack at about 126,000 records of one batch (`fetch/v4/decodeMessages.js`, line 28;
 * https://github.com/tulios/kafkajs/pull/1723).
 */
const mostMarkers = 100_000

/** A marker belongs to no transaction. Otherwise kafkajs might filter it out as part of an aborted one. */
const batchContext = { producerId: '-1', inTransaction: false, isControlBatch: false }

/**
 * Markers for a batch that begins at `firstOffset` and ends `lastDelta` later. Each offset gets one, because the fetch may
 * have begun in the middle of the batch. null if the batch claims more records than one can have.
 */
const markersFor = (firstOffset: bigint, lastDelta: number, reason: string): KafkaMessage[] | null => {
  if (lastDelta < 0 || lastDelta >= mostMarkers) return null
  const headers = { [headerName]: Buffer.from(reason.slice(0, 500)) }
  return Array.from({ length: lastDelta + 1 }, (_, at) => ({
    key: null,
    value: null,
    timestamp: '0',
    attributes: 0,
    headers,
    batchContext,
    isControlRecord: false,
    offset: (firstOffset + BigInt(at)).toString(),
  }))
}

/** Why the batch of a marker could not be read; null for every other record. */
const unreadableReason = (record: KafkaMessage): string | null => {
  const reason = record.headers?.[headerName]
  return Buffer.isBuffer(reason) ? reason.toString() || 'unreadable record batch' : null
}

export interface UntilUnreadable {
  readonly readable: readonly KafkaMessage[]
  /** The first marker; null if there is none. */
  readonly unreadable: { readonly offset: bigint; readonly reason: string } | null
}

/** Splits records at the first marker: those before it may be handed on. */
export const untilUnreadable = (records: readonly KafkaMessage[]): UntilUnreadable => {
  for (const [at, record] of records.entries()) {
    const reason = unreadableReason(record)
    if (reason === null) continue
    return { readable: records.slice(0, at), unreadable: { offset: BigInt(record.offset), reason } }
  }
  return { readable: records, unreadable: null }
}

/** kafkajs must not retry this error, because the same bytes stay unreadable. */
export class UnreadableBatchError extends Error {
  override readonly name = 'UnreadableBatchError'
  readonly retriable = false
}

/** The cursor with which kafkajs reads what it fetched. */
interface Decoder {
  readonly buffer: Buffer
  readonly offset: number
  forward(bytes: number): void
}
type DecodeBatch = (decoder: Decoder) => Promise<{ readonly records: readonly KafkaMessage[] }>

/** Places of the fields in a record batch of format 2, in bytes from its start. The CRC covers `summedFrom` to the end. */
const lengthAt = 8
const sizedFrom = 12
const magicAt = 16
const crcAt = 17
const summedFrom = 21
const lastDeltaAt = 23
const headerBytes = 61

const load = createRequire(__filename)
const decoderPath = 'kafkajs/src/protocol/recordBatch/v0/decoder'

/** The bytes of the next batch; null if only its beginning was fetched, or if it has another format. */
const nextBatch = ({ buffer, offset }: Decoder): Buffer | null => {
  if (buffer.length - offset < headerBytes || buffer.readInt8(offset + magicAt) !== 2) return null
  const end = offset + sizedFrom + buffer.readInt32BE(offset + lengthAt)
  return end > buffer.length || end < offset + headerBytes ? null : buffer.subarray(offset, end)
}

/** Wraps `decode`: a batch that it cannot read, or whose checksum is wrong, becomes markers. */
export const checked =
  (decode: DecodeBatch, crc32C: (bytes: Buffer) => number): DecodeBatch =>
  async decoder => {
    const batch = nextBatch(decoder)
    // The fetch ended in the middle of this batch. kafkajs handles that case.
    if (batch === null) return decode(decoder)
    const { offset } = decoder
    const markers = (reason: string) => {
      const records = markersFor(batch.readBigInt64BE(0), batch.readInt32BE(lastDeltaAt), reason)
      if (records === null) throw new UnreadableBatchError(`a record batch cannot be read: ${reason}`)
      // Moves the cursor to the end of the batch. Decoding may have stopped anywhere in it.
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
 * Puts the wrapped decoder in place of the one of kafkajs, which loads it at its first fetch. Throws with any other release
 * of kafkajs than the one this was written for.
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
