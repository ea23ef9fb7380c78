import { randomBytes } from 'node:crypto'
import type { KafkaMessage } from 'kafkajs'

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
