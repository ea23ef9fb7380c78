import type { Producer } from 'kafkajs'
import type { OutgoingRecord, PartitionBatch } from './partitioned-batches'
import { sendBatch } from './send-batch'
import { withinMs } from './within'

export interface TransactionWork<R extends OutgoingRecord> {
  /** Sent in this order, one at a time: one send never spans two brokers (trap 4). */
  readonly batches: readonly PartitionBatch<R>[]
  readonly stubOf: (record: R) => OutgoingRecord
  /** Asked before every step; throws to break off. */
  readonly checkpoint: () => void
  /** Where the position lies: offset of `topic`, partition 0, for the group. */
  readonly position: { readonly groupId: string; readonly topic: string; readonly offset: bigint }
}

const abortWithinMs = 5_000

/**
 * Records and position in one Kafka transaction. Rejects on any error, after trying to abort: the producer must not
 * be used again then, since only a new session can tell whether a commit without an answer took place.
 */
export const publishTransaction = async <R extends OutgoingRecord>(
  producer: Producer,
  { batches, stubOf, checkpoint, position }: TransactionWork<R>,
): Promise<void> => {
  const transaction = await producer.transaction()
  try {
    for (const batch of batches) {
      checkpoint()
      await sendBatch(transaction, batch, stubOf)
    }
    checkpoint()
    await transaction.sendOffsets({
      consumerGroupId: position.groupId,
      topics: [{ topic: position.topic, partitions: [{ partition: 0, offset: position.offset.toString() }] }],
    })
    checkpoint()
    await transaction.commit()
  } catch (error) {
    // Spares readers the wait until the broker times the transaction out. Opening a new session aborts it too.
    if (transaction.isActive()) await withinMs(transaction.abort(), abortWithinMs)
    throw error
  }
}
