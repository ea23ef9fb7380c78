import { goodRequest, makeRecord, parse, parseWith, textOf } from './make-record'

const parseNames = (deviceNames: unknown, more: Readonly<Record<string, unknown>> = {}) =>
  parseWith({ deviceName: undefined, deviceNames, ...more })

describe('a single bad device name', () => {
  it.each([
    ['with a space', 'meter 17', 'meter 17'],
    ['too short', 'm-7', 'm-7'],
    ['of 33 characters', 'm'.repeat(33), 'm'.repeat(33)],
    ['in another script', 'zähler-17', 'zähler-17'],
    ['with a NUL', 'meter\u0000', null],
    ['that is a number', 17, null],
    ['that is null', null, null],
  ])('%s rejects the request, and is shown if it is printable', (_, deviceName, shown) => {
    const { requests, rejections } = parseWith({ deviceName })
    expect(requests).toEqual([])
    expect(rejections).toMatchObject([{ code: 'invalid_device_name', deviceName: shown, ordinal: 0 }])
    expect(rejections[0]?.message).toMatch(/^\$\.deviceName must be .*4 to 32 of A-Z a-z 0-9 - _ @ \. :/)
  })
})

describe('a list of device names', () => {
  it('becomes one request, each name once, in the order given', () => {
    const { requests, rejections } = parseNames(['meter-2', 'meter-1', 'meter-2'])
    expect(requests[0]?.deviceNames).toEqual(['meter-2', 'meter-1'])
    expect(rejections).toEqual([])
  })

  it('may have 10,000 names, but not more', () => {
    const names = Array.from({ length: 10_001 }, (_, index) => `meter-${index}`)
    expect(parseNames(names.slice(1)).requests[0]?.deviceNames).toHaveLength(10_000)
    const { requests, rejections } = parseNames(names)
    expect(requests).toEqual([])
    expect(rejections).toMatchObject([
      { code: 'invalid_request', deviceName: null, requestId: 'fleet-42/0007' },
    ])
    expect(rejections[0]?.message).toContain('$.deviceNames must not have more than 10000 entries')
  })

  it.each([
    ['an empty list', [], '$.deviceNames must not be empty'],
    ['a text', 'meter-1', '$.deviceNames must be an array'],
    ['null', null, '$.deviceNames must be a'],
  ])('is rejected as a whole if it is %s', (_, names, text) => {
    const { requests, rejections } = parseNames(names)
    expect(requests).toEqual([])
    expect(rejections).toHaveLength(1)
    expect(rejections[0]?.message).toContain(text)
  })

  it('loses only its bad names', () => {
    const { requests, rejections } = parseNames(['meter-1', 'bad name', 7, 'meter-2', 'x', 'bad name', null])
    expect(requests[0]?.deviceNames).toEqual(['meter-1', 'meter-2'])
    expect(rejections.map(rejection => [rejection.ordinal, rejection.deviceName, rejection.code])).toEqual([
      [0, 'bad name', 'invalid_device_name'],
      [1, null, 'invalid_device_name'],
      [2, 'x', 'invalid_device_name'],
      [3, null, 'invalid_device_name'],
    ])
    expect(rejections[1]?.message).toContain('$.deviceNames[2] must be a string')
    expect(rejections[0]).toMatchObject({
      productKey: 'a1BwAGVexmp',
      targetInstanceIds: ['iot-cn-6ja9x1'],
      requestId: 'fleet-42/0007',
    })
  })

  it('with bad names only becomes no request', () => {
    const { requests, rejections } = parseNames(['x', 'y'])
    expect(requests).toEqual([])
    expect(rejections).toHaveLength(2)
  })

  it('becomes one dead letter for each bad name, which is a request for that name', () => {
    const { rejections } = parseNames(['meter-1', 'bad name', { deep: 1 }], { unknown: 'u'.repeat(1000) })
    const letters = rejections.map(rejection => JSON.parse(textOf(rejection.deadLetter)))
    expect(letters[0]).toEqual({ ...goodRequest, requestId: 'fleet-42/0007~1', deviceName: 'bad name' })
    expect(letters[1]).toEqual({ ...goodRequest, requestId: 'fleet-42/0007~1', deviceName: 'an object' })
    expect(rejections.map(rejection => rejection.originalSize)).toEqual([null, null])
  })

  it('of 10,000 bad names becomes dead letters of less than 4 MB', () => {
    const value = JSON.stringify({
      ...goodRequest,
      deviceName: undefined,
      deviceNames: Array.from({ length: 10_000 }, () => 1),
      unknown: 'u'.repeat(3_000_000),
    })
    const { rejections } = parse(makeRecord(value))
    expect(rejections).toHaveLength(10_000)
    expect(rejections.reduce((bytes, rejection) => bytes + rejection.deadLetter.length, 0)).toBeLessThan(
      4_000_000,
    )
  })

  it('is rejected as a whole if the dead letters of its bad names would be too large together', () => {
    const { requests, rejections } = parseNames(
      ['meter-1', ...Array.from({ length: 9_999 }, (_, index) => `bad ${index}`)],
      {
        targetInstanceId: undefined,
        strategy: 1,
        targetInstanceIds: Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(256, 'x')),
      },
    )
    expect(requests).toEqual([])
    expect(rejections).toMatchObject([{ code: 'record_too_large' }])
  })
})
