/** Records sorted by partition into batches that the broker takes, and how such a batch is sent. */
import type { Message, Producer, Transaction } from 'kafkajs'
import { isLeaderless } from '../kafkajs-patches/leaderless-partitions'

const seed = 0x9747b28c
const mix = 0x5bd1e995

/**
 * Kafka's hash of keys, in 32-bit arithmetic. Equal keys get the same partition as with the Java client and kafkajs. The
 * one of kafkajs computes with BigInt and takes about 1 µs a record.
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

/** The partition of a key: 0 to `partitions` - 1. */
export const partitionOfKey = (key: Uint8Array, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions

/** A record to be written. Texts become UTF-8. */
export interface OutgoingRecord {
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers: Readonly<Record<string, Uint8Array | string>>
}

/** Records of one partition that are sent together and so become one record batch. */
export interface PartitionBatch<R extends OutgoingRecord> {
  readonly topic: string
  readonly partition: number
  readonly records: readonly R[]
}

/** kafkajs groups the records of a send in quadratic time: 20,000 for one partition block the process for 9 s. */
const maxRecords = 1_000
/** The broker refuses a batch above its `max.message.bytes`, 1 MiB by default. */
const maxBytes = 900_000
const overheadBytes = 70
const headerOverheadBytes = 10

const sizeOf = (part: Uint8Array | string | null): number =>
  part === null ? 0 : typeof part === 'string' ? Buffer.byteLength(part) : part.length

/** Bytes that the record takes in a batch, estimated. */
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
 * Splits records by the partition of their key, and those of one partition by count and bytes. Records without a key go to
 * the partitions in turn. Sent one after the other, the batches keep the order within each partition.
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

const kafkaMessageOf = (record: OutgoingRecord, partition: number): Message => ({
  partition,
  key: record.key === null ? null : bytesOf(record.key),
  value: record.value === null ? null : bytesOf(record.value),
  headers: Object.fromEntries(Object.entries(record.headers).map(([name, value]) => [name, bytesOf(value)])),
})

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error && 'type' in error && error.type === 'MESSAGE_TOO_LARGE'

/**
 * Sends the records of one partition. A batch that the broker refuses for its size is halved, and a single record is
 * replaced by its stub. That refusal is certain and leaves the transaction usable.
 */
export const sendBatch = async <R extends OutgoingRecord>(
  to: Pick<Producer | Transaction, 'send'>,
  batch: PartitionBatch<R>,
  stubOf: (record: R) => OutgoingRecord,
): Promise<void> => {
  const { topic, partition, records } = batch
  const send = (some: readonly OutgoingRecord[]): Promise<unknown> =>
    // The broker's time-out is shorter than the client's, so that the broker answers first.
    to.send({
      topic,
      acks: -1,
      timeout: 10_000,
      messages: some.map(record => kafkaMessageOf(record, partition)),
    })
  try {
    await send(records)
  } catch (error) {
    const [first] = records
    if (isLeaderless(error))
      throw new Error(`${topic}/${partition} has no leader: the broker that holds it is away`, {
        cause: error,
      })
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
