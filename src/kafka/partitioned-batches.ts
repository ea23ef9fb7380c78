import { partitionOfKey } from './murmur2'

/** What is written, as bytes. */
export interface OutgoingRecord {
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers: Readonly<Record<string, Uint8Array | string>>
}

/** Records of one partition that go out in one send, and so become one record batch. */
export interface PartitionBatch<R extends OutgoingRecord> {
  readonly topic: string
  readonly partition: number
  readonly records: readonly R[]
}

/** kafkajs groups a send in quadratic time (trap 24). */
const maxRecords = 1_000
/** A batch above `max.message.bytes`, 1 MiB by default, is refused whole. */
const maxBytes = 900_000
const overheadBytes = 70
const headerOverheadBytes = 10

const sizeOf = (part: Uint8Array | string | null): number =>
  part === null ? 0 : typeof part === 'string' ? Buffer.byteLength(part) : part.length

/** About how many bytes the record takes in a batch. */
export const recordBytes = ({ key, value, headers }: OutgoingRecord): number =>
  Object.entries(headers).reduce(
    (sum, [name, header]) => sum + headerOverheadBytes + name.length + sizeOf(header),
    overheadBytes + sizeOf(key) + sizeOf(value),
  )

interface OpenBatch<R> {
  readonly records: R[]
  bytes: number
}

/**
 * Parts records by the partition of their key and cuts what goes to one partition by count and bytes. Keeps the
 * order within a partition: send the batches one after the other. Records without a key are dealt out in turn.
 */
export const partitionedBatches = <R extends OutgoingRecord>(
  topic: string,
  records: readonly R[],
  partitions: number,
): PartitionBatch<R>[] => {
  const full: PartitionBatch<R>[] = []
  const open = new Map<number, OpenBatch<R>>()
  let turn = 0
  for (const record of records) {
    const { key } = record
    const partition =
      key === null
        ? turn++ % partitions
        : partitionOfKey(typeof key === 'string' ? Buffer.from(key) : key, partitions)
    const bytes = recordBytes(record)
    const batch = open.get(partition)
    if (batch !== undefined && batch.records.length < maxRecords && batch.bytes + bytes <= maxBytes) {
      batch.records.push(record)
      batch.bytes += bytes
      continue
    }
    if (batch !== undefined) full.push({ topic, partition, records: batch.records })
    open.set(partition, { records: [record], bytes })
  }
  const rest = [...open].map(([partition, batch]) => ({ topic, partition, records: batch.records }))
  return [...full, ...rest]
}
