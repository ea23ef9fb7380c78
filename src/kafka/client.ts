import { Kafka, logLevel, type RetryOptions, type SASLOptions } from 'kafkajs'
import { checkBatches } from './checked-batches'
import { registerCodecs } from './codecs'
import { type KafkaLog, logCreatorOf } from './kafka-log'
import { quietRequestQueue } from './quiet-request-queue'

export interface KafkaOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly ssl?: boolean | undefined
  readonly sasl?: KafkaSasl | undefined
  readonly log: KafkaLog
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

const patient: RetryOptions = { initialRetryTime: 200, maxRetryTime: 3_000, retries: 8 }
/** For what our own loops repeat: they say what is wrong, so they should hear of it soon. */
export const brief: RetryOptions = { initialRetryTime: 200, maxRetryTime: 1_000, retries: 2 }

/**
 * A new kafkajs client. Two consumers of one client would share a map of offsets (trap 26): make one for each.
 * Reads all compression codecs and checks checksums; throws nothing, and connects to nothing yet.
 */
export const createKafka = (options: KafkaOptions, retry: RetryOptions = patient): Kafka => {
  registerCodecs()
  checkBatches()
  quietRequestQueue()
  const sasl: SASLOptions | undefined = options.sasl
  return new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    // kafkajs allows 1 s, too little for TLS.
    connectionTimeout: 10_000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    logLevel: logLevel.INFO,
    logCreator: logCreatorOf(options.log),
    retry,
    ...(options.ssl === true ? { ssl: true } : {}),
    ...(sasl === undefined ? {} : { sasl }),
  })
}
