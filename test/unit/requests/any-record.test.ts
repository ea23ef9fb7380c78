import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv2020 from 'ajv/dist/2020'
import fc from 'fast-check'
import type { ParsedRecord } from '../../../src/requests/parse-record'
import { isInstant } from '../../../src/requests/request-schema'
import { goodRequest, makeRecord, parse } from './make-record'

const schema = JSON.parse(readFileSync(join(__dirname, '../../../schemas/move-request.schema.json'), 'utf8'))
const isRequest = new Ajv2020({ formats: { 'date-time': isInstant } }).compile(schema)

const unprintable = /[\p{Cc}\p{Cs}]/u

/** Every text of a value that is stored or shown. */
const stringsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(stringsOf)
}

const expectClean = (parsed: ParsedRecord): void => {
  expect(parsed.requests.length + parsed.rejections.length).toBeGreaterThan(0)
  expect(parsed.requests.length).toBeLessThanOrEqual(1)
  expect(parsed.rejections.map(rejection => rejection.ordinal)).toEqual(
    parsed.rejections.map((_, index) => index),
  )
  expect(stringsOf([parsed.requests, parsed.rejections]).filter(text => unprintable.test(text))).toEqual([])
  for (const { message, requestId, deadLetter } of parsed.rejections) {
    expect(message.length).toBeLessThanOrEqual(1000)
    expect([...requestId].length).toBeLessThanOrEqual(256)
    expect(deadLetter.length).toBeLessThanOrEqual(900_000)
  }
}

const anyText = fc.string({ unit: 'binary', maxLength: 300 })
const anyValue = fc.oneof(
  fc.jsonValue(),
  anyText,
  fc.constantFrom('meter-000017', 'iot-a', '', 0, 1, 'normal', null),
)
const fieldNames = Object.keys(schema.properties)
/** A valid request with any values for some fields, and without some others. */
const damaged = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...fieldNames), anyValue, { maxKeys: 3 }),
    fc.subarray(fieldNames, { maxLength: 2 }),
  )
  .map(([changes, gone]) => {
    const request: Record<string, unknown> = { ...goodRequest, ...changes }
    for (const name of gone) delete request[name]
    return request
  })

const anyHeaders = fc.dictionary(
  fc.constantFrom('content-type', 'ce_id', 'traceparent', 'ce_specversion'),
  fc.oneof(anyText, fc.constantFrom('application/cloudevents+json', 'event-9')),
)

describe('the parser of records', () => {
  it('answers any bytes with a result fit to be stored and shown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), anyHeaders, (bytes, headers) => {
        expectClean(parse(makeRecord(bytes, headers)))
      }),
      { numRuns: 300 },
    )
  })

  it('answers any JSON, with and without an event around it, with a result fit to be stored and shown', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), damaged), anyHeaders, fc.boolean(), (value, headers, wrapped) => {
        const event = { specversion: '1.0', id: 'event-9', data: value }
        expectClean(parse(makeRecord(JSON.stringify(wrapped ? event : value), headers)))
      }),
      { numRuns: 500 },
    )
  })

  it('accepts exactly what the published schema accepts, unless only the service can tell', () => {
    fc.assert(
      fc.property(damaged, request => {
        const value: Record<string, unknown> = JSON.parse(JSON.stringify(request))
        const parsed = parse(makeRecord(value))
        const whole = parsed.requests.length === 1 && parsed.rejections.length === 0
        const foundByService = /also a target|targetUid is missing/.test(parsed.rejections[0]?.message ?? '')
        if (whole || !foundByService) expect(whole).toBe(isRequest(value))
      }),
      { numRuns: 1000 },
    )
  })
})
