import { withAdmin } from '../../src/kafka/with-admin'
import type { SourceRecord } from '../../src/ports'
import { produceRecords, uniqueTopic } from './kafka'
import { testKafkaOptions, testSource } from './kafka-source'
import { readSource } from './source-reader'

const markName = 'end-mark'

/**
 * All records of committed transactions, by partition. A mark is appended to every partition and read up to: a
 * reader of committed records sees it only once the transactions before it have ended, and the ends that kafkajs
 * tells leave out what was committed a moment ago.
 */
export const readCommitted = async (topic: string): Promise<SourceRecord[]> => {
  const ends = await withAdmin(testKafkaOptions(), admin => admin.fetchTopicOffsets(topic))
  const mark = uniqueTopic('mark')
  await produceRecords(
    topic,
    ends.map(({ partition }) => ({ partition, value: null, headers: { [markName]: mark } })),
  )
  const source = testSource(topic, mark)
  const reader = readSource(source)
  const marked = new Set<number>()
  while (marked.size < ends.length) {
    const chunk = await reader.next()
    reader.records.push(...chunk.records)
    for (const { headers, position } of chunk.records) {
      if (Buffer.from(headers[markName] ?? []).toString() === mark) marked.add(position.partition)
    }
    chunk.done()
  }
  reader.stop()
  await source.stopped()
  return reader.records
    .filter(record => record.headers[markName] === undefined)
    .sort(({ position: a }, { position: b }) => a.partition - b.partition || Number(a.offset - b.offset))
}
