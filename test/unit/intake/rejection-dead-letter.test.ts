import { goodRequest, makeRecord, parse, parseWith, textOf } from './make-record'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('the dead letter of a request for one device', () => {
  it('is that request under the next id, without unknown fields', () => {
    const rejection = parseWith({ strategy: '0', note: 'x' }).rejections[0]
    expect(JSON.parse(textOf(rejection?.deadLetter))).toEqual({
      ...goodRequest,
      requestId: 'fleet-42/0007~1',
      strategy: '0',
    })
    expect(rejection?.originalSize).toBeNull()
  })

  it('is the original where the device is not known for certain', () => {
    const rejection = parseWith({ deviceNames: ['meter-1'] }).rejections[0]
    expect(JSON.parse(textOf(rejection?.deadLetter))).toEqual({ ...goodRequest, deviceNames: ['meter-1'] })
    expect(rejection?.originalSize).toBeGreaterThan(0)
  })

  it.each([
    ['nested too deep to write', `{"productKey":"p","deviceName":"meter-1","strategy":${nested(500_000)}}`],
    ['too large', JSON.stringify({ ...goodRequest, priority: 'p'.repeat(1_000_000) })],
  ])('is the original, cut, where a field is %s', (_, value) => {
    const rejection = parse(makeRecord(value)).rejections[0]
    expect(rejection?.deadLetter).toHaveLength(900_000)
    expect(rejection?.originalSize).toBe(value.length)
  })
})
