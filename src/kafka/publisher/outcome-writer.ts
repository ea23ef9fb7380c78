/** One session of writing: a transactional producer that publishes chunk after chunk from the committed position on. */

import type { Producer } from 'kafkajs'
import type { Outcome } from '../../domain/outcome'
import { TransientError } from '../../ports/errors'
import type { OutboxChunk } from '../../ports/journal'
import { ensureTopics, partitionCounts, publishedPosition, withAdmin } from '../admin'
import {
  createProducer,
  disconnectMs,
  type KafkaOptions,
  maxRecordsOfProducer,
  transientOf,
  withinMs,
} from '../kafka-client'
import {
  type OutgoingRecord,
  type PartitionBatch,
  partitionedBatches,
  sendBatch,
} from './partitioned-batches'

/** Makes the records of one outcome. It is pure, and the domain's. */
export type EncodeOutcome = (outcome: Outcome) => {
  readonly result: OutgoingRecord
  readonly deadLetter: OutgoingRecord | null
}

/** A record with the outcome it was made from. */
export interface OutcomeRecord extends OutgoingRecord {
  readonly outcome: Outcome
}

const outcomeRecords = (
  outcomes: readonly Outcome[],
  encode: EncodeOutcome,
): { readonly results: readonly OutcomeRecord[]; readonly deadLetters: readonly OutcomeRecord[] } => {
  const results: OutcomeRecord[] = []
  const deadLetters: OutcomeRecord[] = []
  for (const outcome of outcomes) {
    const { result, deadLetter } = encode(outcome)
    results.push({ ...result, outcome })
    if (deadLetter !== null) deadLetters.push({ ...deadLetter, outcome })
  }
  return { results, deadLetters }
}

const shortHeaderBytes = 256

/**
 * Replaces a record that is larger than the broker takes. The value says so and gives the outcome. The key and the short
 * headers stay, so that the record is routed and recognised like any other.
 */
const tooLargeStub = ({ key, headers, outcome }: OutcomeRecord): OutgoingRecord => ({
  key,
  headers: Object.fromEntries(
    Object.entries(headers).filter(([, value]) => value.length <= shortHeaderBytes),
  ),
  value: JSON.stringify({
    id: outcome.id,
    error: 'record_too_large',
    requestId: outcome.requestId.slice(0, shortHeaderBytes),
    outcome: outcome.outcome,
    final: outcome.final,
    code: outcome.code,
  }),
})

export interface OutcomeSinkOptions {
  readonly kafka: KafkaOptions
  /** Also the name of the group that keeps the position. */
  readonly transactionalId: string
  readonly resultsTopic: string
  readonly deadLetterTopic: string
  readonly encode: EncodeOutcome
  readonly createTopics?: boolean | undefined
}

export interface Writer {
  /** Id of the last outbox row that was published; null if none is known. */
  readonly position: bigint | null
  /** Rejects with a `TransientError` when the session is over, and with a plain `Error` for a wrong call. */
  publish(chunk: OutboxChunk): Promise<void>
  /** Refuses every later `publish`, and breaks off the one under way. */
  refuse(reason: TransientError): void
  /** Takes at most 5 s; never rejects. */
  stop(): Promise<void>
}

const abortMs = 5_000

const producerOf = ({ kafka, transactionalId }: OutcomeSinkOptions): Producer =>
  createProducer(kafka, {
    transactionalId,
    transactionTimeout: 60_000,
    // The number of retries is limited: after an error a new session goes on from the committed position.
    retry: { initialRetryTime: 100, maxRetryTime: 3_000, retries: 8 },
  })

interface Position {
  readonly groupId: string
  readonly topic: string
  readonly offset: bigint
}

/**
 * Writes records and the position, which is the group's offset for partition 0 of the topic, in one Kafka transaction.
 * `checkpoint` is called before every step and throws to break off. Rejects on any error, after trying to abort. The
 * producer must not be used after that, because only a new session can tell whether a commit without an answer took place.
 */
const publishTransaction = async (
  producer: Producer,
  batches: readonly PartitionBatch<OutcomeRecord>[],
  { groupId, topic, offset }: Position,
  checkpoint: () => void,
): Promise<void> => {
  const transaction = await producer.transaction()
  try {
    // One partition at a time. When one of several brokers fails a send, kafkajs sends the records of the others again under
    // new sequence numbers, and readers would get them twice.
    for (const batch of batches) {
      checkpoint()
      await sendBatch(transaction, batch, tooLargeStub)
    }
    checkpoint()
    await transaction.sendOffsets({
      consumerGroupId: groupId,
      topics: [{ topic, partitions: [{ partition: 0, offset: offset.toString() }] }],
    })
    checkpoint()
    await transaction.commit()
  } catch (error) {
    // Without this, readers wait until the broker times the transaction out or a new session aborts it.
    if (transaction.isActive()) await withinMs(transaction.abort(), abortMs)
    throw error
  }
}

/** Connects, fences every older session of the transactional id, and reads the position of the last one. */
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
    // Initialising the producer id aborts the transaction that an older session left open.
    const fence = await producer.transaction()
    await fence.abort()
    position = await withAdmin(kafka, admin =>
      publishedPosition(admin, { groupId: transactionalId, topic: resultsTopic }),
    )
  } catch (error) {
    // After a failed connect kafkajs would write without sequence numbers, so this producer is never used.
    await withinMs(producer.disconnect(), disconnectMs)
    throw error
  }

  const opened = position
  let written = position
  let ended: TransientError | null = null
  /** Settles when the current chunk has ended, with or without an error; null between chunks. */
  let underWay: Promise<unknown> | null = null
  let records = 0

  const write = async (chunk: OutboxChunk): Promise<void> => {
    if (written !== null && chunk.lastId <= written) {
      throw new Error(`outbox ${chunk.lastId} was to be published after ${written}`)
    }
    const { results, deadLetters } = outcomeRecords(chunk.outcomes, options.encode)
    records += results.length + deadLetters.length
    if (records > maxRecordsOfProducer)
      throw new TransientError('the producer has written enough: a new one follows')
    try {
      const batches = [
        ...partitionedBatches(resultsTopic, results, partitions.get(resultsTopic) ?? 1),
        ...partitionedBatches(deadLetterTopic, deadLetters, partitions.get(deadLetterTopic) ?? 1),
      ]
      const next = { groupId: transactionalId, topic: resultsTopic, offset: chunk.lastId + 1n }
      await publishTransaction(producer, batches, next, () => {
        if (ended !== null) throw ended
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
    refuse: reason => {
      ended ??= reason
    },
    stop: async () => {
      ended ??= new TransientError('the session is closed')
      // kafkajs reconnects to finish a send when it is disconnected during it, so the send is awaited first.
      await withinMs(
        Promise.allSettled([underWay]).then(() => producer.disconnect()),
        disconnectMs,
      )
    },
  }
}
