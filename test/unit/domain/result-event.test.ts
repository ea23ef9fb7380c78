import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020 from 'ajv/dist/2020'
import type { Outcome } from '../../../src/domain/outcome'
import { encodeResult } from '../../../src/domain/outcome-records'
import { sampleOutcome } from '../../support/sample-outcome'

const schema = JSON.parse(readFileSync(join(__dirname, '../../../schemas/outcome.schema.json'), 'utf8'))
const isOutcome = new Ajv2020({ formats: { 'date-time': text => !Number.isNaN(Date.parse(text)) } }).compile(
  schema,
)

const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const rejected: Partial<Outcome> = {
  deviceName: null,
  productKey: null,
  sourceInstanceId: null,
  targetInstanceIds: null,
  strategy: null,
  outcome: 'rejected',
  code: 'invalid_json',
  message: 'The value is not JSON.',
  jobId: null,
}

describe('encodeResult', () => {
  it('writes the fields of the contract in their order, and the offset as text', () => {
    const { value } = encodeResult(sampleOutcome(7), { cloudEvents: false })
    expect(value).toBe(
      '{"id":"requests/0/7/meter-7/1","requestId":"requests/0/7","deviceName":"meter-7","productKey":"a1BwAGVexmp",' +
        '"sourceInstanceId":"iot-060a02m5","targetInstanceIds":["iot-cn-6ja9x1"],"strategy":0,"outcome":"moved",' +
        '"final":true,"code":"200","message":null,"attempt":1,"jobId":"UbmsMHmkqv0PiAG1010001",' +
        '"requestedAt":"2023-11-14T22:13:20.000Z","settledAt":"2023-11-14T22:14:20.000Z",' +
        '"source":{"topic":"requests","partition":0,"offset":"7"}}',
    )
  })

  it.each<[string, Partial<Outcome>]>([
    ['a move', {}],
    ['a failure that is re-queued', { outcome: 'failed', final: false, code: '6206', message: 'busy' }],
    ['a superseded move', { outcome: 'superseded', code: 'superseded', jobId: null }],
    ['a rejection of something unreadable', rejected],
  ])('writes %s as the published schema allows', (_, more) => {
    const { value } = encodeResult(sampleOutcome(7, more), { cloudEvents: true })
    expect(isOutcome(JSON.parse(value)) ? null : isOutcome.errors).toBeNull()
  })

  it.each<[string, Partial<Outcome>]>([
    ['a move that is not final', { final: false }],
    ['a move of an unknown device', { deviceName: null }],
    ['an attempt 0', { attempt: 0 }],
  ])('writes %s in a form that the published schema rejects', (_, more) => {
    expect(isOutcome(JSON.parse(encodeResult(sampleOutcome(7, more), { cloudEvents: true }).value))).toBe(
      false,
    )
  })

  it('takes the device as the key, or the position of the request if device or product is unknown', () => {
    const keyOf = (more: Partial<Outcome>): string =>
      encodeResult(sampleOutcome(7, more), { cloudEvents: false }).key
    expect(keyOf({})).toBe('a1BwAGVexmp/meter-7')
    expect(keyOf({ deviceName: null })).toBe('requests/0/7')
    expect(keyOf({ productKey: null })).toBe('requests/0/7')
  })

  it('writes the headers of a CloudEvent only if told to', () => {
    const outcome = sampleOutcome(7, { traceparent: trace })
    expect(encodeResult(outcome, { cloudEvents: true }).headers).toEqual({
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: 'requests/0/7/meter-7/1',
      ce_type: 'device-move.outcome.v1',
      ce_source: '/device-move',
      ce_time: '2023-11-14T22:14:20.000Z',
      traceparent: trace,
    })
    expect(encodeResult(sampleOutcome(7), { cloudEvents: false }).headers).toEqual({
      'content-type': 'application/json',
    })
  })
})
