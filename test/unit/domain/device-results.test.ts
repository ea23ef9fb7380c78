import fc from 'fast-check'
import { classifyDeviceCode, mergeRows } from '../../../src/domain/device-results'

describe('classifyDeviceCode', () => {
  it.each([
    ['200', 'moved'],
    [' 200 ', 'moved'],
    ['iot.device.NotExistedDevice', 'permanent'],
    ['IOT.DEVICE.NOTEXISTEDDEVICE', 'permanent'],
    ['iot.system.InstanceIdSame', 'permanent'],
    ['iot.system.SystemException', 'retryable'],
    ['Throttling.User', 'retryable'],
    ['2000', 'unknown'],
    ['20', 'unknown'],
    ['500', 'unknown'],
    ['', 'unknown'],
    ['iot.device.SomethingNew', 'unknown'],
    ['constructor', 'unknown'],
  ])('takes code %j for %s', (code, expected) => {
    expect(classifyDeviceCode(code)).toBe(expected)
  })

  it('takes every unrecognised code for unknown', () => {
    fc.assert(
      fc.property(fc.string(), code => {
        expect(classifyDeviceCode(`x-${code}`)).toBe('unknown')
      }),
    )
  })
})

const rows = (codes: Readonly<Record<string, string>>) =>
  new Map(Object.entries(codes).map(([name, code]) => [name, { code, message: null }]))

describe('mergeRows', () => {
  it('joins two files, of which the newer one counts', () => {
    const merged = mergeRows(rows({ a: 'old', b: 'old' }), rows({ b: 'new', c: 'new' }))
    expect(merged).toEqual(rows({ a: 'old', b: 'new', c: 'new' }))
  })

  it('never forgets that a device has moved', () => {
    expect(mergeRows(rows({ a: '200' }), rows({ a: 'iot.made.up' }))).toEqual(rows({ a: '200' }))
    expect(mergeRows(rows({ a: 'iot.made.up' }), rows({ a: '200' }))).toEqual(rows({ a: '200' }))
  })
})
