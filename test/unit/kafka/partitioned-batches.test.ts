import { Partitioners, type PartitionMetadata } from 'kafkajs'
import {
  type OutgoingRecord,
  partitionedBatches,
  partitionOfKey,
  recordBytes,
} from '../../../src/kafka/publisher/partitioned-batches'

const record = (key: string | null, bytes = 10): OutgoingRecord => ({
  key,
  value: 'x'.repeat(bytes),
  headers: {},
})

describe('the partition of a key', () => {
  it('is the one that kafkajs and the Java client choose', () => {
    const partitioner = Partitioners.DefaultPartitioner()
    const partitionMetadata = Array.from({ length: 12 }, (_, partitionId): PartitionMetadata => {
      return { partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] }
    })
    const keys = ['', 'a', 'ab', 'abc', 'abcd', 'a1BwAGVexmp/meter-000017', 'größer', '\u{1f4e6}'.repeat(9)]
    for (const key of [...keys, ...Array.from({ length: 500 }, (_, n) => `a1BwAGVexmp/meter-${n * 7919}`)]) {
      const message = { key: Buffer.from(key), value: null }
      expect(partitionOfKey(Buffer.from(key), 12)).toBe(
        partitioner({ topic: 't', partitionMetadata, message }),
      )
    }
  })
})

describe('partitioned batches', () => {
  const records = Array.from({ length: 5_000 }, (_, n) => record(`device-${n % 700}`, n % 50))

  it('hold every record once, under the partition of its key, in order', () => {
    const batches = partitionedBatches('results', records, 3)
    for (const { topic, partition, records: some } of batches) {
      expect(topic).toBe('results')
      for (const { key } of some) expect(partitionOfKey(Buffer.from(`${key}`), 3)).toBe(partition)
    }
    const sentTo = (partition: number): OutgoingRecord[] =>
      batches.filter(batch => batch.partition === partition).flatMap(batch => [...batch.records])
    const sent = [0, 1, 2].map(sentTo)
    expect(sent.flat()).toHaveLength(records.length)
    for (const some of sent) {
      const places = some.map(one => records.indexOf(one))
      expect(places).toEqual([...places].sort((a, b) => a - b))
    }
  })

  it('hold at most 1,000 records and 900 kB each', () => {
    const counted = partitionedBatches(
      't',
      Array.from({ length: 2_500 }, () => record('k')),
      6,
    )
    expect(counted.map(batch => batch.records.length)).toEqual([1_000, 1_000, 500])
    const large = partitionedBatches(
      't',
      Array.from({ length: 40 }, () => record('k', 50_000)),
      6,
    )
    for (const batch of large) {
      const bytes = batch.records.reduce((sum, one) => sum + recordBytes(one), 0)
      expect(bytes).toBeLessThanOrEqual(900_000)
    }
    expect(large.map(batch => batch.records.length)).toEqual([17, 17, 6])
  })

  it('hold a record above 900 kB alone', () => {
    const batches = partitionedBatches('t', [record('k'), record('k', 950_000), record('k')], 1)
    expect(batches.map(batch => batch.records.length)).toEqual([1, 1, 1])
  })

  it('give records without a key to the partitions in turn', () => {
    const batches = partitionedBatches(
      't',
      Array.from({ length: 7 }, () => record(null)),
      3,
    )
    expect(batches.map(batch => [batch.partition, batch.records.length])).toEqual([
      [0, 3],
      [1, 2],
      [2, 2],
    ])
  })

  it('are measured in bytes, not in characters', () => {
    expect(recordBytes({ key: 'é', value: Buffer.alloc(5), headers: { ab: 'é' } })).toBe(
      70 + 2 + 5 + 10 + 2 + 2,
    )
  })
})
