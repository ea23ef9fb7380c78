import fc from 'fast-check'
import { classifyDeviceCode } from '../../../src/domain/device-results'

describe('codes of result rows', () => {
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
  ])('%j is %s', (code, expected) => {
    expect(classifyDeviceCode(code)).toBe(expected)
  })

  it('never takes a code it does not know for final', () => {
    fc.assert(
      fc.property(fc.string(), code => {
        expect(classifyDeviceCode(`x-${code}`)).toBe('unknown')
      }),
    )
  })
})
