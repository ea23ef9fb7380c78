import { logLevel } from 'kafkajs'
import { type KafkaLogLevel, logCreatorOf } from '../../../src/kafka/kafka-client'

/** The line that is written here for a line of kafkajs. */
const lineOf = (level: logLevel, namespace: string, message: string, more: object = {}) => {
  const lines: [KafkaLogLevel, string, Readonly<Record<string, unknown>>][] = []
  const log = logCreatorOf((...line) => lines.push(line))()
  log({ namespace, level, label: '', log: { timestamp: '', message, ...more } })
  return lines[0]
}

describe('a log line of kafkajs', () => {
  it.each<[string, logLevel, string, string, KafkaLogLevel]>([
    [
      'a jump over records',
      logLevel.INFO,
      'ConsumerGroup',
      'Offset out of range, resetting to default offset',
      'error',
    ],
    [
      'a normal rebalance',
      logLevel.ERROR,
      'Connection',
      'Response Heartbeat: The group is rebalancing, so a rejoin is needed',
      'info',
    ],
    ['an error that kafkajs retries', logLevel.ERROR, 'Connection', 'Connection timeout', 'debug'],
    ['an error that is logged nowhere else', logLevel.ERROR, 'OffsetManager', 'something odd', 'warn'],
    ['information', logLevel.INFO, 'Consumer', 'Starting', 'debug'],
  ])('about %s gets the level of this service', (_, level, namespace, message, ours) => {
    expect(lineOf(level, namespace, message)?.slice(0, 2)).toEqual([ours, `kafka: ${message}`])
  })

  it('keeps known fields only', () => {
    const more = {
      topic: 'requests',
      partition: 3,
      broker: 'one:9092',
      payload: { password: 'x' },
      stack: 'at',
    }
    expect(lineOf(logLevel.WARN, 'Fetcher', 'odd', more)?.[2]).toEqual({
      topic: 'requests',
      partition: 3,
      broker: 'one:9092',
    })
  })
})
