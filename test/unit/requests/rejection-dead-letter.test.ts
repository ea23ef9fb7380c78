import { goodRequest, makeRecord, parse, parseWith, textOf } from './make-record'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const position = 'device-move.requests/3/1234'

describe('the dead letter of a record that could be read as a request', () => {
  it('is that request under the next id, without unknown fields', () => {
    const rejection = parseWith({ strategy: '0', note: 'x' }).rejections[0]
    expect(JSON.parse(textOf(rejection?.deadLetter))).toEqual({
      ...goodRequest,
      requestId: 'fleet-42/0007~1',
      strategy: '0',
    })
    expect(rejection).toMatchObject({ originalSize: null, contentType: null })
  })

  it.each([
    ['both forms of the devices', { deviceNames: ['meter-1'] }],
    ['both forms of the targets', { targetInstanceIds: ['iot-a', 'iot-b'], strategy: 1 }],
    ['an empty list', { deviceName: undefined, deviceNames: [] }],
    [
      '10,001 names',
      { deviceName: undefined, deviceNames: Array.from({ length: 10_001 }, (_, index) => `meter-${index}`) },
    ],
    ['a name that cannot be shown', { deviceName: 'meter\u0000\ud800' }],
    ['no device', { deviceName: undefined }],
  ])('is the whole request under the next id, with %s', (_, changes) => {
    const { requests, rejections } = parseWith(changes)
    expect(requests).toEqual([])
    expect(rejections).toMatchObject([{ requestId: 'fleet-42/0007', originalSize: null }])
    expect(JSON.parse(textOf(rejections[0]?.deadLetter))).toEqual({
      ...JSON.parse(JSON.stringify({ ...goodRequest, ...changes })),
      requestId: 'fleet-42/0007~1',
    })
  })

  it('has every digit of a number, and values of any depth', () => {
    const value = `{"deviceName":"meter-1","str\\u0061tegy": ${nested(100_000)} ,"targetUid":12345678901234567890}`
    expect(textOf(parse(makeRecord(value)).rejections[0]?.deadLetter)).toBe(
      `{"requestId":"${position}~1","deviceName":"meter-1","strategy":${nested(100_000)},"targetUid":12345678901234567890}`,
    )
  })

  it.each([
    ['a value too long', JSON.stringify({ ...goodRequest, priority: 'p'.repeat(1_000_000) })],
    ['a value too deep', `{"productKey":"p","deviceName":"meter-1","strategy":${nested(500_000)}}`],
  ])('is the original, cut at 900,000 bytes, if it would have %s', (_, value) => {
    const rejection = parse(makeRecord(value, { 'content-type': 'text/json' })).rejections[0]
    expect(rejection?.deadLetter).toHaveLength(900_000)
    expect(rejection).toMatchObject({ originalSize: value.length, contentType: 'text/json' })
  })
})

describe('the dead letter of a record that could not be read as a request', () => {
  it.each([
    ['no field of a request', '{"name":"meter-1","__proto__":{"deviceName":"meter-1"}}'],
    ['no object', '["meter-1"]'],
    ['a field twice', '{"deviceName":"meter-1","deviceName":"meter-2"}'],
  ])('is the bytes of the record, under its position, where the record has %s', (_, value) => {
    const { rejections } = parse(makeRecord(value, { ce_id: 'event-9', 'content-type': 'x/y' }))
    expect(rejections).toMatchObject([
      { requestId: position, strategy: null, originalSize: value.length, contentType: 'x/y' },
    ])
    expect(textOf(rejections[0]?.deadLetter)).toBe(value)
  })

  it.each([[`x/${'y'.repeat(300)}`], ['x/y\u0000']])(
    'has no content type where that of the record cannot be handed on: %j',
    type => {
      expect(parse(makeRecord('?', { 'content-type': type })).rejections).toMatchObject([
        { contentType: null },
      ])
    },
  )
})

describe('the id of a rejection', () => {
  it('is made of position, device and attempt, or of position and ordinal where the device is unknown', () => {
    const { rejections } = parseWith({
      deviceName: undefined,
      deviceNames: ['x', 'x', 7, 'x/1', 'meter-1', 7, '#0'],
    })
    expect(rejections.map(({ id }) => id)).toEqual([
      `${position}/x/1`,
      `${position}/#1`,
      `${position}/x/1/1`,
      `${position}/#3`,
      `${position}/#0/1`,
    ])
    expect(parseWith({ strategy: 7 }).rejections).toMatchObject([{ id: `${position}/meter-000017/1` }])
    expect(parse(makeRecord('?')).rejections).toMatchObject([{ id: `${position}/#0` }])
  })
})

describe('the strategy of a rejection', () => {
  it.each([
    ['0 where the record leaves it out', undefined, 0],
    ['the one that the record gives', 1, 1],
    ['unknown where it is no strategy', 7, null],
    ['unknown where it is null', null, null],
  ])('is %s', (_, strategy, shown) => {
    expect(parseWith({ strategy, priority: 'high' }).rejections).toMatchObject([{ strategy: shown }])
  })
})

describe('the times of a record', () => {
  it('are the one that its request gives and its own', () => {
    const times = {
      requestedAt: new Date('2026-11-24T08:00:00Z'),
      recordedAt: new Date('2026-11-24T09:00:00Z'),
    }
    const requestedAt = '2026-11-24T08:00:00Z'
    expect(parseWith({ requestedAt }).requests).toMatchObject([times])
    expect(parseWith({ requestedAt, strategy: 7 }).rejections).toMatchObject([times])
  })
})

describe('the message of a rejection', () => {
  it.each([
    [
      { requestedAt: 'yesterday' },
      /^\$\.requestedAt must be an instant such as 2026-11-24T08:00:00Z \(got "yesterday"\)\. Corr/,
    ],
    [{ priority: 7 }, /^\$\.priority must be a string, not a number [^$]*\(got 7\)\. Corr/],
  ])('names a problem once: %j', (changes, text) => {
    expect(parseWith(changes).rejections[0]?.message).toMatch(text)
  })
})
