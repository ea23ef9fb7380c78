import { createFixture, order } from './account-fixture'

const target = (n: number) => `TargetInstanceConfig.${n}.TargetInstanceId`

describe('a create of the simulator', () => {
  it.each([
    ['iot.device.NoneDeviceNameElement', order([])],
    ['iot.device.InvalidFormattedDeviceName', order(['abc'])],
    ['iot.device.InvalidFormattedDeviceName', order(['good-name', 'x'.repeat(33)])],
    ['iot.device.InvalidFormattedDeviceName', order(['with space'])],
    ['iot.prod.NullProductKey', order(['meter-1'], { ProductKey: '' })],
    ['iot.system.InstanceIdSame', order(['meter-1'], { [target(1)]: 'A' })],
    ['iot.system.InstanceNotFound', order(['meter-1'], { [target(1)]: 'missing-instance' })],
    ['iot.system.UidNotFound', order(['meter-1'], { TargetUid: '' })],
    ['iot.common.InvalidFormattedParameter', order(['meter-1'], { [target(2)]: 'C' })],
    ['iot.common.InvalidFormattedParameter', order(['meter-1'], { Strategy: '2' })],
    ['iot.common.InvalidFormattedParameter', order(['meter-1'], { Strategy: '' })],
    ['ok', order(['meter-1'], { [target(2)]: 'C', Strategy: '1' })],
    ['ok', order(['a@b.c:d-E_9', '1234'])],
  ])('is answered with %s for parameters that deserve it', (code, params) => {
    const fixture = createFixture()
    expect(fixture.codeOf(fixture.call('create', params))).toBe(code)
    expect(fixture.account.book.all()).toHaveLength(code === 'ok' ? 1 : 0)
  })

  it('is refused beyond the limit of devices', () => {
    const fixture = createFixture({ maxDevices: 2 })
    const result = fixture.call('create', order(['meter-1', 'meter-2', 'meter-3']))
    expect(fixture.codeOf(result)).toBe('iot.device.DeviceCountExceeded')
  })

  it('takes a login for the account that it belongs to', () => {
    const fixture = createFixture({ accountUid: '42' })
    const { TargetUid: _, ...params } = order(['meter-1'], { TargetAliyunId: 'io@example.com' })
    expect(fixture.call('create', params).ok).toBe(true)
    expect(fixture.account.book.all()[0]?.targetUid).toBe('42')
  })

  it('fails the row of a device that does not exist', () => {
    const fixture = createFixture()
    const job = fixture.create(['meter-1', 'missing-2'])
    fixture.pass(100)
    expect(fixture.rows(job)).toEqual({ 'meter-1': '200', 'missing-2': 'iot.device.NotExistedDevice' })
  })

  it('fails as a whole for a device that does not exist, if asked to', () => {
    const fixture = createFixture({ missingDevice: 'whole' })
    const result = fixture.call('create', order(['meter-1', 'missing-2']))
    expect(fixture.codeOf(result)).toBe('iot.device.NotExistedDevice')
    expect(fixture.account.truth.summary().devices).toBe(0)
  })
})
