import { Kafka, type LogEntry, logLevel, type RetryOptions, type SASLOptions } from 'kafkajs'
import { messageOf } from '../domain/error-text'
import { TransientError } from '../ports/errors'
import { checkBatches } from './kafkajs-patches/checked-batches'
import { registerCodecs } from './kafkajs-patches/codecs'
import { quietRequestQueue } from './kafkajs-patches/quiet-request-queue'

export type KafkaLogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Where the adapter writes; `fields` hold no secrets. */
export type KafkaLog = (level: KafkaLogLevel, text: string, fields: Readonly<Record<string, unknown>>) => void

/** Records between where we were and where kafkajs goes on are skipped: an alarm, whatever its level there. */
export const isOffsetOutOfRange = (text: string): boolean => text.startsWith('Offset out of range, resetting')

/** kafkajs logs a normal rebalance as an error (trap 33). */
const rebalance = /rebalanc|not aware of this member|re-?join|generation/i
/** Retried by kafkajs, and told once per change of state by our own supervisor. */
const retried = /Connection|BrokerPool|Cluster|Consumer$|ConsumerGroup|Runner|Producer|Admin/

/** Ours of a kafkajs log line. */
export const levelOf = (level: logLevel, namespace: string, text: string): KafkaLogLevel => {
  if (isOffsetOutOfRange(text)) return 'error'
  if (rebalance.test(text)) return 'info'
  if (level >= logLevel.INFO) return 'debug'
  return retried.test(namespace) ? 'debug' : 'warn'
}

const loggable = [
  'topic',
  'partition',
  'offset',
  'groupId',
  'memberId',
  'broker',
  'error',
  'retryCount',
  'retryTime',
]

/** A log creator for kafkajs. Only known fields pass. */
export const logCreatorOf = (log: KafkaLog) => () => (entry: LogEntry) => {
  const { message, ...rest } = entry.log
  const fields = Object.fromEntries(
    loggable.flatMap(name => {
      const value: unknown = rest[name]
      return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : []
    }),
  )
  log(levelOf(entry.level, entry.namespace, message), `kafka: ${message}`, fields)
}

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

/** Any error of the client as one that another session may cure, with what was being done. */
export const transientOf = (error: unknown, doing: string): TransientError =>
  error instanceof TransientError
    ? error
    : new TransientError(`${doing}: ${messageOf(error)}`, {
        cause: error,
      })

/**
 * Waits for `work`, at most `limitMs`. Never rejects: 'done', 'failed' or 'late'. For closing things, where there is
 * nothing left to be done about an error.
 */
export const withinMs = async (
  work: Promise<unknown>,
  limitMs: number,
): Promise<'done' | 'failed' | 'late'> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), limitMs)
  })
  const ended = work.then(
    () => 'done' as const,
    () => 'failed' as const,
  )
  try {
    return await Promise.race([ended, late])
  } finally {
    clearTimeout(timer)
  }
}

const firstMs = 1_000
/** Whoever comes back is noticed within seconds. */
const longestMs = 5_000

/**
 * How long to wait after so many failures in a row (1-based): 1 s, doubling to 5 s, of which a random fifth is
 * taken off so that replicas do not come back all at once. `random` gives [0, 1).
 */
export const backOffMs = (failures: number, random: () => number): number =>
  Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 10)) * (1 - 0.2 * random())
