import { Partitioners, type Producer } from 'kafkajs'
import { TransientError } from '../../ports/errors'
import type { OutboxChunk } from '../../ports/journal'
import { ensureTopics, partitionCounts, publishedPosition, withAdmin } from '../admin'
import { createKafka, type KafkaOptions, transientOf, withinMs } from '../kafka-client'
import { type EncodeOutcome, outcomeRecords, tooLargeStub } from './outcome-records'
import {
  type OutgoingRecord,
  type PartitionBatch,
  partitionedBatches,
  sendBatch,
} from './partitioned-batches'

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

export interface OutcomeSinkOptions {
  readonly kafka: KafkaOptions
  /** Also the name of the private group that keeps the position. */
  readonly transactionalId: string
  readonly resultsTopic: string
  readonly deadLetterTopic: string
  readonly encode: EncodeOutcome
  readonly createTopics?: boolean | undefined
}

export interface Writer {
  /** Id of the last outbox row published; null if none is known. */
  readonly position: bigint | null
  /** Rejects with a `TransientError`, and is of no use then; with a plain `Error` for what the caller did wrong. */
  publish(chunk: OutboxChunk): Promise<void>
  /** Refuses everything from now on. */
  end(reason: TransientError): void
  /** Within 5 s; never rejects. */
  close(): Promise<void>
}

/** kafkajs's sequence numbers break at 2^31 records of one partition (trap 7): leave long before. */
const recordsOfOneProducer = 2 ** 30
const closeWithinMs = 5_000

const producerOf = ({ kafka, transactionalId }: OutcomeSinkOptions): Producer =>
  createKafka(kafka).producer({
    transactionalId,
    transactionTimeout: 60_000,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: 60_000,
    createPartitioner: Partitioners.DefaultPartitioner,
    // Not for ever: an error is told, and a new session goes on from the committed position.
    retry: { initialRetryTime: 100, maxRetryTime: 3_000, retries: 8 },
  })

/** Connects, fences every older session of the transactional id, and reads where the last one left off. */
export const openWriter = async (options: OutcomeSinkOptions): Promise<Writer> => {
  const { kafka, transactionalId, resultsTopic, deadLetterTopic } = options
  const topics = [resultsTopic, deadLetterTopic]
  const partitions = await withAdmin(kafka, async admin => {
    await ensureTopics(admin, topics, options.createTopics === true)
    return partitionCounts(admin, topics)
  })
  const producer = producerOf(options)
  let position: bigint | null
  try {
    await producer.connect()
    // Initialises the producer id, which aborts what an older session left open.
    const fence = await producer.transaction()
    await fence.abort()
    position = await withAdmin(kafka, admin =>
      publishedPosition(admin, { groupId: transactionalId, topic: resultsTopic }),
    )
  } catch (error) {
    // Never used after a failed connect: it would write without sequence numbers (trap 8).
    await withinMs(producer.disconnect(), closeWithinMs)
    throw error
  }

  const opened = position
  let written = position
  let ended: TransientError | null = null
  /** Settles when the chunk under way has ended, either way; null between chunks. */
  let underWay: Promise<unknown> | null = null
  let records = 0

  const write = async (chunk: OutboxChunk): Promise<void> => {
    if (written !== null && chunk.lastId <= written) {
      throw new Error(`outbox ${chunk.lastId} was to be published after ${written}`)
    }
    const { results, deadLetters } = outcomeRecords(chunk.outcomes, options.encode)
    records += results.length + deadLetters.length
    if (records > recordsOfOneProducer)
      throw new TransientError('the producer has written enough: a new one follows')
    try {
      await publishTransaction(producer, {
        batches: [
          ...partitionedBatches(resultsTopic, results, partitions.get(resultsTopic) ?? 1),
          ...partitionedBatches(deadLetterTopic, deadLetters, partitions.get(deadLetterTopic) ?? 1),
        ],
        stubOf: tooLargeStub,
        checkpoint: () => {
          if (ended !== null) throw ended
        },
        position: { groupId: transactionalId, topic: resultsTopic, offset: chunk.lastId + 1n },
      })
      written = chunk.lastId
    } catch (error) {
      throw transientOf(error, `outbox up to ${chunk.lastId} not published`)
    }
  }

  return {
    position: opened,
    publish: async chunk => {
      if (ended !== null) throw ended
      if (underWay !== null) throw new Error('one chunk is published at a time')
      const writing = write(chunk)
      underWay = writing
      try {
        await writing
      } catch (error) {
        if (error instanceof TransientError) ended = error
        throw error
      } finally {
        underWay = null
      }
    },
    end: reason => {
      ended ??= reason
    },
    close: async () => {
      ended ??= new TransientError('the session is closed')
      // kafkajs reconnects to finish a send that is under way (trap 27): let it end first, and disconnect then.
      await withinMs(
        Promise.allSettled([underWay]).then(() => producer.disconnect()),
        closeWithinMs,
      )
    },
  }
}
