import type { IHeaders, KafkaMessage } from 'kafkajs'
import type { SourceRecord } from '../ports'

const headersOf = (headers: IHeaders | undefined): Record<string, Uint8Array> => {
  const kept = new Map<string, Uint8Array>()
  for (const [name, value] of Object.entries(headers ?? {})) {
    const key = name.toLowerCase()
    const first = Array.isArray(value) ? value[0] : value
    // A header without a value says nothing.
    if (first === undefined || first === null || kept.has(key)) continue
    kept.set(key, typeof first === 'string' ? Buffer.from(first) : first)
  }
  return Object.fromEntries(kept)
}

/** A record as the port shows it: bytes as they are, a tombstone's value null. */
export const sourceRecordOf = (topic: string, partition: number, record: KafkaMessage): SourceRecord => ({
  position: { topic, partition, offset: BigInt(record.offset) },
  key: record.key,
  value: record.value,
  headers: headersOf(record.headers),
  timestampMs: Number(record.timestamp),
})

const maxRecords = 500
const maxBytes = 4 * 1024 * 1024

const bytesOf = (record: KafkaMessage): number => (record.key?.length ?? 0) + (record.value?.length ?? 0)

/**
 * End (exclusive) of the chunk that begins at `from`: at most 500 records and about 4 MiB, and one record at least,
 * however large.
 */
export const chunkEnd = (records: readonly KafkaMessage[], from: number): number => {
  let bytes = 0
  let end = from
  for (; end < records.length && end - from < maxRecords; end += 1) {
    const record = records[end]
    if (record === undefined) break
    bytes += bytesOf(record)
    if (end > from && bytes > maxBytes) break
  }
  return end
}
