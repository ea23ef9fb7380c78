import type { KafkaMessage } from 'kafkajs'
import { chunkEnd, sourceRecordOf } from '../../../src/kafka/consumer/each-batch'

const message = (more: Partial<Pick<KafkaMessage, 'value' | 'headers'>> = {}): KafkaMessage => ({
  key: null,
  timestamp: '1700000000000',
  attributes: 0,
  offset: '12345678901234567',
  headers: more.headers ?? {},
  value: more.value ?? null,
})

describe('a record of the source', () => {
  it('has the exact offset and the time of the Kafka record', () => {
    expect(sourceRecordOf({ topic: 'requests', partition: 3 }, message())).toEqual({
      position: { topic: 'requests', partition: 3, offset: 12345678901234567n },
      key: null,
      value: null,
      headers: {},
      timestampMs: 1_700_000_000_000,
    })
  })

  it('has its header names in lower case, the first of a repeated header, and no header without a value', () => {
    const headers = {
      CE_Id: [Buffer.from('first'), Buffer.from('second')],
      ce_id: Buffer.from('third'),
      text: 'é',
      none: undefined,
    }
    const { headers: kept } = sourceRecordOf({ topic: 't', partition: 0 }, message({ headers }))
    expect(kept).toEqual({ ce_id: Buffer.from('first'), text: Buffer.from('é') })
  })

  it('has a header that is named like a member of every object', () => {
    const headers = JSON.parse('{"__proto__":"x","constructor":"y"}')
    const { headers: kept } = sourceRecordOf({ topic: 't', partition: 0 }, message({ headers }))
    expect(Object.keys(kept).sort()).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(kept)).toBe(Object.prototype)
  })
})

describe('a chunk', () => {
  const sized = (bytes: number): KafkaMessage => message({ value: Buffer.alloc(bytes) })

  it('has at most 500 records', () => {
    const records = Array.from({ length: 1_100 }, () => sized(1))
    expect([chunkEnd(records, 0), chunkEnd(records, 500), chunkEnd(records, 1_000)]).toEqual([
      500, 1_000, 1_100,
    ])
  })

  it('has at most about 4 MiB, but always one record', () => {
    const mebibyte = 1024 * 1024
    expect(chunkEnd([sized(3 * mebibyte), sized(mebibyte), sized(1)], 0)).toBe(2)
    expect(chunkEnd([sized(9 * mebibyte), sized(1)], 0)).toBe(1)
  })
})
