import { makeRecord, parse, parseWith } from './make-record'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('a record that cannot be read', () => {
  it.each([
    ['a tombstone', null, 'empty_value', 'has no value'],
    ['an empty value', '', 'empty_value', 'has no value'],
    ['bytes that are not UTF-8', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 'invalid_encoding', 'not UTF-8'],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'invalid_encoding', 'not UTF-8'],
    ['broken JSON', '{"deviceName":', 'invalid_json', 'not JSON'],
    ['text', 'hello', 'invalid_json', 'not JSON'],
    ['a raw NUL', '{"deviceName":"a\u0000"}', 'invalid_json', 'not JSON'],
    ['white space', ' \n', 'invalid_json', 'not JSON'],
    ['an array', '[{}]', 'invalid_request', '$ must be a JSON object (got an array)'],
    ['null as JSON', 'null', 'invalid_request', '$ must be a JSON object (got null)'],
    ['a number', '1e999', 'invalid_request', '$ must be a JSON object (got Infinity)'],
    ['deep nesting', nested(500_000), 'invalid_request', '$ must be a JSON object'],
    ['deep nesting left open', '['.repeat(500_000), 'invalid_json', 'not JSON'],
    [
      'a field given twice',
      '{"deviceName":"meter-1","deviceName":"meter-2"}',
      'invalid_request',
      '$.deviceName is given more than once',
    ],
    [
      'a field twice, once escaped',
      '{"strategy":0,"str\\u0061tegy":1}',
      'invalid_request',
      '$.strategy is given more than once',
    ],
    ['more than 4 MiB', ' '.repeat(4 * 1024 * 1024 + 1), 'record_too_large', 'more than 4194304'],
  ])('is rejected under its position: %s', (_, value, code, text) => {
    const record = makeRecord(value)
    const { requests, rejections } = parse(record)
    expect(requests).toEqual([])
    expect(rejections).toHaveLength(1)
    expect(rejections[0]).toMatchObject({
      ordinal: 0,
      requestId: 'device-move.requests/3/1234',
      productKey: null,
      deviceName: null,
      sourceInstanceId: null,
      targetInstanceIds: null,
      strategy: null,
      code,
      originalSize: record.value?.length ?? 0,
    })
    expect(rejections[0]?.message).toContain(text)
    expect(rejections[0]?.message).toMatch(/Correct it and submit it again\.$/)
  })

  it('has its bytes for a dead letter, cut at 900,000', () => {
    const value = `{"broken": "${'é'.repeat(1_000_000)}`
    const rejection = parse(makeRecord(value)).rejections[0]
    expect(
      Buffer.from(value)
        .subarray(0, 900_000)
        .equals(rejection?.deadLetter ?? Buffer.alloc(0)),
    ).toBe(true)
    expect(rejection?.originalSize).toBe(2_000_012)
  })
})

describe('a request that breaks a rule', () => {
  it.each([
    ['no product', { productKey: undefined }, '$.productKey is missing'],
    ['no source', { sourceInstanceId: undefined }, '$.sourceInstanceId is missing'],
    ['no target', { targetInstanceId: undefined }, 'either targetInstanceId or targetInstanceIds'],
    ['both target forms', { targetInstanceIds: ['iot-b'] }, 'either targetInstanceId or targetInstanceIds'],
    [
      'no target at all in the list',
      { targetInstanceId: undefined, targetInstanceIds: [] },
      '$.targetInstanceIds must not be empty',
    ],
    [
      '101 targets',
      {
        targetInstanceId: undefined,
        strategy: 1,
        targetInstanceIds: Array.from({ length: 101 }, (_, i) => `iot-${i}`),
      },
      '$.targetInstanceIds must not have more than 100 entries',
    ],
    [
      'strategy 0 with two targets',
      { targetInstanceId: undefined, strategy: 0, targetInstanceIds: ['iot-a', 'iot-b'] },
      'more than one target needs strategy 1',
    ],
    [
      'two targets, no strategy',
      { targetInstanceId: undefined, targetInstanceIds: ['iot-a', 'iot-b'] },
      'more than one target needs strategy 1',
    ],
    ['source equal to target', { targetInstanceId: 'iot-060a02m5' }, '$.sourceInstanceId is also a target'],
    [
      'source among the targets',
      { targetInstanceId: undefined, strategy: 1, targetInstanceIds: ['iot-a', 'iot-060a02m5'] },
      '$.sourceInstanceId is also a target',
    ],
    ['no device', { deviceName: undefined }, 'either deviceName or deviceNames'],
    ['both device forms', { deviceNames: ['meter-1'] }, 'either deviceName or deviceNames'],
    ['both accounts', { targetAliyunId: 'a@b' }, 'targetUid or targetAliyunId, not both'],
    [
      'no account anywhere',
      { targetUid: undefined },
      '$.targetUid is missing; give targetUid or targetAliyunId, or configure TARGET_UID',
    ],
    ['an account as a number', { targetUid: 1984000000000001 }, '$.targetUid must be a string, not a number'],
    ['a field of null', { targetUid: null }, '$.targetUid must be a string; leave out what has no value'],
    ['strategy as text', { strategy: '0' }, '$.strategy must be 0 or 1, as a number (got "0")'],
    ['strategy 2', { strategy: 2 }, '$.strategy must be 0 or 1 (got 2)'],
    ['strategy 0.5', { strategy: 0.5 }, '$.strategy must be 0 or 1'],
    ['an unknown priority', { priority: 'high' }, '$.priority must be normal or urgent (got "high")'],
    ['an empty string', { productKey: '' }, '$.productKey must be 1 to 256 printable characters (got "")'],
    ['257 characters', { productKey: 'é'.repeat(257) }, '$.productKey must be 1 to 256 printable characters'],
    [
      'a NUL inside a string',
      { sourceInstanceId: 'iot\u0000' },
      '$.sourceInstanceId must be 1 to 256 printable characters (got "iot�")',
    ],
    ['a line separator', { requestId: 'a\u2028b' }, '$.requestId must be 1 to 256 printable characters'],
    ['a lone surrogate', { requestId: 'a\ud800b' }, '$.requestId must be 1 to 256 printable characters'],
    [
      'a bad target in a list',
      { targetInstanceId: undefined, strategy: 1, targetInstanceIds: ['iot-a', ''] },
      '$.targetInstanceIds[1] must be',
    ],
    ['a local time', { requestedAt: '2026-11-24T08:00:00' }, '$.requestedAt must be an instant such as'],
    ['February 30', { requestedAt: '2026-02-30T08:00:00Z' }, '$.requestedAt must be a day of the calendar'],
    [
      'a time before 1970',
      { requestedAt: '1969-12-31T23:59:59Z' },
      '$.requestedAt must be a day of the calendar, from 1970 on',
    ],
    ['a time as a number', { requestedAt: 1764000000000 }, '$.requestedAt must be a string, not a number'],
  ])('is rejected with what is wrong and where: %s', (_, changes, text) => {
    const { requests, rejections } = parseWith(changes)
    expect(requests).toEqual([])
    expect(rejections).toHaveLength(1)
    expect(rejections[0]?.code).toBe('invalid_request')
    expect(rejections[0]?.message).toContain(text)
  })

  it('is rejected with the fields that are valid by themselves, and with the time that it gives', () => {
    const { rejections } = parseWith({ strategy: 7, requestedAt: '2026-11-24T08:00:00Z' })
    expect(rejections[0]).toMatchObject({
      requestId: 'fleet-42/0007',
      productKey: 'a1BwAGVexmp',
      deviceName: 'meter-000017',
      sourceInstanceId: 'iot-060a02m5',
      targetInstanceIds: ['iot-cn-6ja9x1'],
      strategy: null,
      requestedAt: new Date('2026-11-24T08:00:00Z'),
    })
  })

  it('is rejected under the id of its event, and without any of its own, if its own has a megabyte', () => {
    const { rejections } = parseWith({ requestId: 'x'.repeat(1_000_000) }, { ce_id: 'event-9' })
    expect(rejections[0]?.requestId).toBe('event-9')
    expect(rejections[0]?.message.length).toBeLessThan(300)
  })

  it('is rejected with ten problems and the number of the others, in at most 1,000 characters', () => {
    const { rejections } = parseWith({
      targetInstanceId: undefined,
      strategy: 1,
      targetInstanceIds: Array.from({ length: 60 }, () => 7),
    })
    const message = rejections[0]?.message ?? ''
    expect(message).toContain('$.targetInstanceIds[9]')
    expect(message).not.toContain('$.targetInstanceIds[10]')
    expect(message).toContain('and 50 more')
    expect(message.length).toBeLessThanOrEqual(1000)
  })

  it('is rejected with at most 64 characters of a wrong value', () => {
    const { rejections } = parseWith({ priority: 'p'.repeat(500) })
    expect(rejections[0]?.message).toContain(`"${'p'.repeat(64)}…" (500 characters)`)
  })
})
