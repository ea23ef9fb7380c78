/** How this service sets kafkajs up: its options, its log lines, its patches, and its retries. */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import {
  Kafka,
  type LogEntry,
  logLevel,
  Partitioners,
  type Producer,
  type ProducerConfig,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs'
import type { BackoffPolicy } from '../domain/retry-policy'
import { TransientError } from '../ports/errors'
import { advised } from './advice'
import { checkBatches } from './kafkajs-patches/checked-batches'
import { registerCodecs } from './kafkajs-patches/codecs'
import { allowLeaderlessPartitions } from './kafkajs-patches/leaderless-partitions'
import { quietRequestQueue } from './kafkajs-patches/quiet-request-queue'

export type KafkaLogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Takes the adapter's log lines. `fields` hold no secrets. */
export type KafkaLog = (level: KafkaLogLevel, text: string, fields: Readonly<Record<string, unknown>>) => void

/** kafkajs is about to jump to the beginning of a partition. Records may be skipped, so this is always an error. */
export const isOffsetOutOfRange = (text: string): boolean => text.startsWith('Offset out of range, resetting')

/** kafkajs logs a normal rebalance at level ERROR. */
const rebalance = /rebalanc|not aware of this member|re-?join|generation/i
/** kafkajs retries what these log. The request source reports it once per change of its health. */
const retried = /Connection|BrokerPool|Cluster|Consumer$|ConsumerGroup|Runner|Producer|Admin/

/** The level at which a kafkajs log line is written here. */
const levelOf = (level: logLevel, namespace: string, text: string): KafkaLogLevel => {
  if (isOffsetOutOfRange(text)) return 'error'
  if (rebalance.test(text)) return 'info'
  if (level >= logLevel.INFO) return 'debug'
  return retried.test(namespace) ? 'debug' : 'warn'
}

const loggable = [
  'topic',
  'partition',
  'partitions',
  'offset',
  'groupId',
  'memberId',
  'broker',
  'error',
  'retryCount',
  'retryTime',
]

/** A log creator for kafkajs that passes known fields only. */
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
  /** Absent: no TLS. */
  readonly tls?: KafkaTls | undefined
  readonly sasl?: KafkaSasl | undefined
  readonly log: KafkaLog
}

/** TLS to the brokers, by the paths of PEM files. */
export interface KafkaTls {
  /** Certificates of the authority; null: the ones that Node knows. */
  readonly caFile: string | null
  /** Our own certificate and its key; null if the brokers ask for none. */
  readonly certFile: string | null
  readonly keyFile: string | null
  /** false: a certificate of the authority may bear another name than the broker's. */
  readonly checkHostname: boolean
}

/** kafkajs copies these options for each new connection, so the files are read then, and may be renewed at any time. */
const tlsOptions = ({ caFile, certFile, keyFile, checkHostname }: KafkaTls): ConnectionOptions => {
  const read = (path: string | null): Buffer | undefined => (path === null ? undefined : readFileSync(path))
  return {
    get ca() {
      return read(caFile)
    },
    get cert() {
      return read(certFile)
    },
    get key() {
      return read(keyFile)
    },
    ...(checkHostname ? {} : { checkServerIdentity: () => undefined }),
  }
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

const patient: RetryOptions = { initialRetryTime: 200, maxRetryTime: 3_000, retries: 8 }
/** For calls that a loop of this adapter repeats. The loop reports the error, so it has to get it within seconds. */
export const brief: RetryOptions = { initialRetryTime: 200, maxRetryTime: 1_000, retries: 2 }

/**
 * A new kafkajs client that reads all compression codecs and checks checksums. It connects to nothing yet. Make one for
 * each consumer: two consumers of one client in the same group share their map of committed offsets.
 */
export const createKafka = (options: KafkaOptions, retry: RetryOptions = patient): Kafka => {
  registerCodecs()
  checkBatches()
  allowLeaderlessPartitions()
  quietRequestQueue()
  const sasl: SASLOptions | undefined = options.sasl
  return new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    // The default of kafkajs, 1 s, is too short for TLS.
    connectionTimeout: 10_000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    enforceRequestTimeout: true,
    logLevel: logLevel.INFO,
    logCreator: logCreatorOf(options.log),
    // kafkajs tries one broker of the list after the other, so each gets its turn.
    retry: { ...retry, retries: Math.max(retry.retries ?? 0, options.brokers.length) },
    ...(options.tls === undefined ? {} : { ssl: tlsOptions(options.tls) }),
    ...(sasl === undefined ? {} : { sasl }),
  })
}

/**
 * A producer is replaced after this many records. From 2^31 records in one partition on, kafkajs's sequence numbers no longer
 * match the broker's.
 */
export const maxRecordsOfProducer = 2 ** 30

/** A new idempotent producer: the broker recognises a record that is sent again. It connects to nothing yet. */
export const createProducer = (
  options: KafkaOptions,
  config: Pick<ProducerConfig, 'transactionalId' | 'transactionTimeout' | 'retry'>,
): Producer =>
  createKafka(options).producer({
    ...config,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: 60_000,
    createPartitioner: Partitioners.DefaultPartitioner,
  })

/** The error as one that another session may cure. `doing` names what failed. */
export const transientOf = (error: unknown, doing: string): TransientError =>
  error instanceof TransientError
    ? error
    : new TransientError(`${doing}: ${advised(error)}`, { cause: error })

/** A connection that cannot be closed within this time is given up. */
export const disconnectMs = 5_000

/** Waits for `work`, at most `limitMs`. Never rejects: callers that close a connection can do nothing about an error. */
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

/** Pauses before Kafka is tried again. They stay short, so that a broker that is back is noticed within seconds. */
export const reconnectPolicy: BackoffPolicy = { backoffMs: 1_000, backoffMaxMs: 5_000 }
