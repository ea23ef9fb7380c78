import { withAdmin } from '../../src/kafka/admin'
import { createRequestSource, type KafkaRequestSource } from '../../src/kafka/consumer/kafka-request-source'
import type { KafkaOptions } from '../../src/kafka/kafka-client'
import { testBrokers } from './kafka'

export interface LogLine {
  readonly level: string
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** The adapter's options for the test broker; lines go to `lines`. */
export const testKafkaOptions = (lines: LogLine[] = []): KafkaOptions => ({
  brokers: testBrokers() ?? [],
  clientId: 'device-move-test',
  log: (level, text, fields) => lines.push({ level, text, fields }),
})

/** The real source on the test broker. */
export const testSource = (topic: string, groupId: string, lines: LogLine[] = []): KafkaRequestSource =>
  createRequestSource({ kafka: testKafkaOptions(lines), groupId, topic, random: () => 0 })

/** Deletes the records of a partition before `offset`, as retention does. */
export const deleteBefore = (topic: string, partition: number, offset: bigint): Promise<void> =>
  withAdmin(testKafkaOptions(), async admin => {
    // This loads the metadata that the next call needs.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: offset.toString() }] })
  })
