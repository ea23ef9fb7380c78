import type { Message, Producer, Transaction } from 'kafkajs'
import type { OutgoingRecord, PartitionBatch } from './partitioned-batches'

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
