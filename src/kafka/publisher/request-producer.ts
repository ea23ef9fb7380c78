/** Writes requests to their topic, for the commands. */
import type { Producer } from 'kafkajs'
import { partitionCounts, withAdmin } from '../admin'
import {
  createProducer,
  disconnectMs,
  type KafkaOptions,
  maxRecordsOfProducer,
  withinMs,
} from '../kafka-client'
import { type OutgoingRecord, partitionedBatches, sendBatch } from './partitioned-batches'

export interface RequestProducer {
  /**
   * Resolves when every record is written by all replicas in sync. Rejects after a minute at the latest if one may not be.
   * Others may be written then, and sending them again writes them twice; the service takes a request with an id once.
   * Make one call at a time.
   */
  send(records: readonly OutgoingRecord[]): Promise<void>
  /** Disconnects within 5 s; never rejects. */
  stop(): Promise<void>
}

interface Connected {
  readonly producer: Producer
  readonly partitions: number
}

const producerOf = (kafka: KafkaOptions): Producer =>
  createProducer(kafka, {
    // kafkajs gives the sequence numbers of a send that failed to the next records, and the broker may then drop those as
    // repeats. So one send is retried without end, and the producer is given up when the caller's time is over.
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: Number.MAX_SAFE_INTEGER },
  })

/** A broker that is restarted is back within this time. */
const giveUpMs = 60_000

/** A plain idempotent producer of requests. It connects at the first send and again after any failure. */
export const createRequestProducer = (options: {
  readonly kafka: KafkaOptions
  readonly topic: string
  /** How long one call may take; 60,000 by default. */
  readonly giveUpMs?: number
}): RequestProducer => {
  const { kafka, topic } = options
  const limitMs = options.giveUpMs ?? giveUpMs
  let connected: Connected | null = null
  let records = 0

  const drop = async (): Promise<void> => {
    const dropped = connected
    connected = null
    records = 0
    if (dropped !== null) await withinMs(dropped.producer.disconnect(), disconnectMs)
  }

  const connect = async (): Promise<Connected> => {
    const counts = await withAdmin(kafka, admin => partitionCounts(admin, [topic]))
    const producer = producerOf(kafka)
    try {
      await producer.connect()
    } catch (error) {
      await withinMs(producer.disconnect(), disconnectMs)
      throw error
    }
    return { producer, partitions: counts.get(topic) ?? 1 }
  }

  const refuse = (record: OutgoingRecord): never => {
    const key = record.key === null ? '' : ` ${Buffer.from(record.key).toString()}`
    throw new Error(`the broker does not take a request as large as that of${key}`)
  }

  const write = async (some: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> => {
    if (connected === null) {
      const made = await connect()
      // The caller has already got the failure. Nothing may be written after that.
      if (signal.aborted) return made.producer.disconnect()
      connected = made
    }
    const { producer, partitions } = connected
    records += some.length
    for (const batch of partitionedBatches(topic, some, partitions)) {
      if (signal.aborted) return
      await sendBatch(producer, batch, refuse)
    }
  }

  return {
    send: async some => {
      if (records + some.length > maxRecordsOfProducer) await drop()
      const sending = new AbortController()
      const written = write(some, sending.signal)
      try {
        // kafkajs retries without a limit.
        if ((await withinMs(written, limitMs)) === 'late')
          throw new Error(`no acknowledgement within ${limitMs / 1000} s`)
        await written
      } catch (error) {
        sending.abort()
        await drop()
        throw error
      }
    },
    stop: drop,
  }
}
