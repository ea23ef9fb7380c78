import type { Message, Producer, Transaction } from 'kafkajs'

const seed = 0x9747b28c
const mix = 0x5bd1e995

/**
 * Kafka's own key hash, in plain 32-bit arithmetic: kafkajs's takes a microsecond a record. Equal keys land in the
 * same partition as with the Java client and kafkajs.
 */
const murmur2 = (data: Uint8Array): number => {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const wholeBytes = data.length & ~3
  let hash = seed ^ data.length
  for (let at = 0; at < wholeBytes; at += 4) {
    let word = Math.imul(view.getInt32(at, true), mix)
    word ^= word >>> 24
    hash = Math.imul(hash, mix) ^ Math.imul(word, mix)
  }
  if (wholeBytes < data.length) {
    for (let at = data.length - 1; at >= wholeBytes; at -= 1)
      hash ^= (data[at] ?? 0) << (8 * (at - wholeBytes))
    hash = Math.imul(hash, mix)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, mix)
  return hash ^ (hash >>> 15)
}

/** Partition of a key, 0 to `partitions` - 1. */
export const partitionOfKey = (key: Uint8Array, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions

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

const bytesOf = (part: Uint8Array | string): Buffer | string =>
  typeof part === 'string' || Buffer.isBuffer(part)
    ? part
    : Buffer.from(part.buffer, part.byteOffset, part.length)

const messageOf = (record: OutgoingRecord, partition: number): Message => ({
  partition,
  key: record.key === null ? null : bytesOf(record.key),
  value: record.value === null ? null : bytesOf(record.value),
  headers: Object.fromEntries(Object.entries(record.headers).map(([name, value]) => [name, bytesOf(value)])),
})

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error && 'type' in error && error.type === 'MESSAGE_TOO_LARGE'

/**
 * Sends the records of one partition. What the broker refuses for its size, which is certain and leaves a
 * transaction usable, is halved; a single record is replaced by `stubOf` of it, once.
 */
export const sendBatch = async <R extends OutgoingRecord>(
  to: Pick<Producer | Transaction, 'send'>,
  batch: PartitionBatch<R>,
  stubOf: (record: R) => OutgoingRecord,
): Promise<void> => {
  const { topic, partition, records } = batch
  const send = (some: readonly OutgoingRecord[]): Promise<unknown> =>
    // The broker's time-out below our own, so that it answers first.
    to.send({ topic, acks: -1, timeout: 10_000, messages: some.map(record => messageOf(record, partition)) })
  try {
    await send(records)
  } catch (error) {
    const [first] = records
    if (!isTooLarge(error) || first === undefined) throw error
    if (records.length === 1) {
      await send([stubOf(first)])
      return
    }
    const half = Math.ceil(records.length / 2)
    await sendBatch(to, { topic, partition, records: records.slice(0, half) }, stubOf)
    await sendBatch(to, { topic, partition, records: records.slice(half) }, stubOf)
  }
}
