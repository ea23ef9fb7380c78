import { Partitioners, type Producer } from 'kafkajs'
import { partitionCounts, withAdmin } from '../admin'
import { createKafka, type KafkaOptions, withinMs } from '../kafka-client'
import { type OutgoingRecord, partitionedBatches, sendBatch } from './partitioned-batches'

export interface RequestProducer {
  /**
   * Resolves when every record is written, by all replicas in sync. Rejects if any may not be, after a minute at the
   * latest: some may be, then, and sending again writes them twice (requests with an id of their own are taken once).
   * One call at a time.
   */
  send(records: readonly OutgoingRecord[]): Promise<void>
  close(): Promise<void>
}

interface Connected {
  readonly producer: Producer
  readonly partitions: number
}

const producerOf = (kafka: KafkaOptions): Producer =>
  createKafka(kafka).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: 60_000,
    createPartitioner: Partitioners.DefaultPartitioner,
    // Within one send, or the sequence numbers would be given to other records (traps 1 and 6).
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: Number.MAX_SAFE_INTEGER },
  })

/** kafkajs's sequence numbers break at 2^31 records of one partition (trap 7). */
const recordsOfOneProducer = 2 ** 30

/** A broker that is started again is back by then. */
const giveUpMs = 60_000

/** A plain idempotent producer of requests. Connects at the first send, and anew after any failure. */
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
    if (dropped !== null) await withinMs(dropped.producer.disconnect(), 5_000)
  }

  const connect = async (): Promise<Connected> => {
    const counts = await withAdmin(kafka, admin => partitionCounts(admin, [topic]))
    const producer = producerOf(kafka)
    try {
      await producer.connect()
    } catch (error) {
      await withinMs(producer.disconnect(), 5_000)
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
      // Nobody waits for it any longer: what it wrote now would be written after the failure was told.
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
      if (records + some.length > recordsOfOneProducer) await drop()
      const sending = new AbortController()
      const written = write(some, sending.signal)
      try {
        // kafkajs itself would try for ever.
        if ((await withinMs(written, limitMs)) === 'late')
          throw new Error(`no acknowledgement within ${limitMs / 1000} s`)
        await written
      } catch (error) {
        sending.abort()
        await drop()
        throw error
      }
    },
    close: drop,
  }
}
