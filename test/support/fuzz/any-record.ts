import fc from 'fast-check'
import type { SourceRecord } from '../../../src/ports/request-source'
import { anyJsonText, anyText, asBytes, damaged } from './json-text'

const good: Readonly<Record<string, string>> = {
  requestId: '"fleet-42/0007"',
  deviceName: '"meter-000017"',
  productKey: '"a1BwAGVexmp"',
  sourceInstanceId: '"iot-060a02m5"',
  targetInstanceId: '"iot-cn-6ja9x1"',
  strategy: '0',
  targetUid: '"1984000000000001"',
  priority: '"normal"',
  requestedAt: '"2026-11-24T08:00:00Z"',
}
const moreFields = ['deviceNames', 'targetInstanceIds', 'targetAliyunId', '__proto__', 'constructor', 'note']
const fieldNames = [...Object.keys(good), ...moreFields]

const name = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('"meter-000017"', '"meter-000018"', '"m"', '"bad name"', '"a/b/1"'),
  },
  { weight: 2, arbitrary: anyJsonText },
)
const nameList = fc.array(name, { maxLength: 12 }).map(names => `[${names.join(',')}]`)
const longList = fc
  .constantFrom(10_000, 10_001)
  .map(count => `[${Array.from({ length: count }, (_, index) => `"meter-${index}"`).join(',')}]`)
const instant = fc
  .constantFrom(
    '2026-02-30T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '9999-12-31T23:59:60+23:59',
    'now',
    '2026-11-24',
  )
  .map(text => JSON.stringify(text))

const value = fc.oneof(
  { weight: 8, arbitrary: anyJsonText },
  { weight: 4, arbitrary: nameList },
  { weight: 2, arbitrary: instant },
  {
    weight: 2,
    arbitrary: fc.constantFrom('0', '1', '2', '"0"', '"urgent"', '["iot-a","iot-b"]', '["iot-a"]'),
  },
)

/** A request with some fields changed, added, repeated or taken away, and rarely one with 10,000 names or more. */
const nearlyRequest: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(Object.keys(good)) },
      fc.subarray(Object.keys(good), { minLength: 6 }),
    ),
    fc.oneof(
      fc.array(fc.tuple(fc.constantFrom(...fieldNames), value), { maxLength: 3 }),
      fc.tuple(fc.tuple(fc.constant('deviceName'), name)),
      fc.tuple(fc.tuple(fc.constant('deviceNames'), nameList)),
    ),
    fc.oneof({ weight: 200, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: longList }),
    fc.nat({ max: 9 }),
  )
  .map(([kept, changes, long, dice]) => {
    const repeat = dice === 0
    const changed = new Set<string>(changes.map(([field]) => field))
    if (changed.has('deviceNames') && dice > 1) changed.add('deviceName')
    const members = kept
      .filter(field => repeat || !changed.has(field))
      .filter(field => long === null || field !== 'deviceName')
      .map(field => [field, good[field] ?? 'null'])
    const all = [...members, ...changes, ...(long === null ? [] : [['deviceNames', long]])]
    return `{${all.map(([field, text]) => `${JSON.stringify(field)}:${text}`).join(',')}}`
  })

/** Such a request inside a structured event, which may break the rules too. */
const event: fc.Arbitrary<string> = fc
  .tuple(
    nearlyRequest,
    fc.constantFrom('"1.0"', '"1.0"', '"0.3"', '1', 'null'),
    fc.oneof(fc.constant('"event-9"'), anyJsonText),
    fc.constantFrom('data', 'data', 'text', 'base64', 'both', 'none'),
  )
  .map(([request, version, id, form]) => {
    const plain = `"data":${request}`
    const encoded = `"data_base64":"${Buffer.from(request).toString('base64')}"`
    const data: Readonly<Record<string, string>> = {
      data: plain,
      text: `"data":${JSON.stringify(request)}`,
      base64: encoded,
      both: `${plain},${encoded}`,
      none: '"x":1',
    }
    return `{"specversion":${version},"id":${id},"type":"t",${data[form]}}`
  })

const headerNames = ['content-type', 'ce_id', 'ce_specversion', 'traceparent', 'ce_traceparent', '__proto__']
const headerValue = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('event-9', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
  },
  { weight: 3, arbitrary: anyText },
)
const headers = fc
  .tuple(
    fc.constantFrom(
      null,
      'application/json',
      'application/cloudevents+json',
      'Application/CloudEvents+JSON ; charset=utf-8',
      'application/cloudevents-batch+json',
    ),
    fc.array(fc.tuple(fc.constantFrom(...headerNames), asBytes(headerValue)), { maxLength: 2 }),
  )
  .map(
    ([type, more]): Record<string, Uint8Array> => ({
      ...(type === null ? {} : { 'content-type': Buffer.from(type) }),
      ...Object.fromEntries(more),
    }),
  )

const body: fc.Arbitrary<Uint8Array | null> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 4, arbitrary: asBytes(anyJsonText) },
  { weight: 12, arbitrary: asBytes(nearlyRequest) },
  { weight: 4, arbitrary: asBytes(damaged(nearlyRequest)) },
  { weight: 6, arbitrary: asBytes(event) },
  { weight: 1, arbitrary: asBytes(damaged(event)) },
)

/** Any record that a topic may hold. */
export const anyRecord: fc.Arbitrary<SourceRecord> = fc
  .tuple(
    body,
    headers,
    fc.constantFrom(
      Date.UTC(2026, 10, 24),
      0,
      -1,
      Number.NaN,
      Number.MAX_SAFE_INTEGER,
      Number.POSITIVE_INFINITY,
    ),
    fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  )
  .map(([bytes, fields, timestampMs, offset]) => ({
    position: { topic: 'device-move.requests', partition: 3, offset },
    key: null,
    value: bytes,
    headers: fields,
    timestampMs,
  }))
