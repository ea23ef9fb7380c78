import { randomBytes } from 'node:crypto'
import type { KafkaMessage } from 'kafkajs'

/**
 * A compressed record batch that cannot be read would make kafkajs refuse the whole fetch, that is every partition
 * of that broker, and fetch it again for ever. Instead its place is filled with one marker record an offset: the
 * consumer meets the marker in the right partition at the right offset, stops that partition and says why, and the
 * others go on.
 */

/** Random for each process, so that no producer can forge a marker. */
const headerName = `unreadable-batch-${randomBytes(16).toString('hex')}`

/** Bytes of a v2 record batch before its records: base offset, length, epoch, magic, CRC, attributes … count. */
const batchHeaderBytes = 61
const magicAt = 16
const attributesAt = 21
const countAt = 57
const compressionMask = 0x07

/** Zigzag varint, as record fields are encoded. */
const varint = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value * 2
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

/** A record with neither key nor value, and one header that gives the reason. */
const markerRecord = (offsetDelta: number, reason: Buffer): Buffer => {
  const name = Buffer.from(headerName)
  const nothing = 1 // zigzag of -1
  const head = Buffer.from([
    ...[0, ...varint(0), ...varint(offsetDelta), nothing, nothing],
    ...[...varint(1), ...varint(name.length)],
  ])
  const body = Buffer.concat([head, name, Buffer.from(varint(reason.length)), reason])
  return Buffer.concat([Buffer.from(varint(body.length)), body])
}

/**
 * What to hand kafkajs in place of the records of `compressed`, which must be the view into the fetched batch that
 * kafkajs passes to a codec: the batch's header lies right before it. null if no header of a batch with that codec
 * (0 to 7) is found there.
 */
export const markersInPlaceOf = (compressed: Buffer, codec: number, reason: string): Buffer | null => {
  const start = compressed.byteOffset - batchHeaderBytes
  if (start < 0) return null
  const header = Buffer.from(compressed.buffer, start, batchHeaderBytes)
  const isOurs =
    header.readInt8(magicAt) === 2 && (header.readInt16BE(attributesAt) & compressionMask) === codec
  const count = header.readInt32BE(countAt)
  // More records than this and kafkajs overflows the stack (trap 12): the supervisor reports that one.
  if (!isOurs || count < 1 || count > 100_000) return null
  const text = Buffer.from(reason.slice(0, 500))
  // Only the first marker is ever looked at; the rest need no reason.
  const none = Buffer.alloc(0)
  return Buffer.concat(Array.from({ length: count }, (_, at) => markerRecord(at, at === 0 ? text : none)))
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
