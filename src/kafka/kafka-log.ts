import { type LogEntry, logLevel } from 'kafkajs'

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
