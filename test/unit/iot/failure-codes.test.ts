import fc from 'fast-check'
import { kindOfCode } from '../../../src/iot/client/failure-codes'

describe('the table of failure codes', () => {
  it.each([
    ['Throttling', 'throttled'],
    ['Throttling.User', 'throttled'],
    ['throttling.user.flow', 'throttled'],
    ['System.Throttling', 'throttled'],
    ['ServiceUnavailable', 'unanswered'],
    ['InternalError', 'unanswered'],
    ['iot.system.SystemException', 'unanswered'],
    ['SignatureNonceUsed', 'unanswered'],
    ['ECONNREFUSED', 'not-sent'],
    ['ENOTFOUND', 'not-sent'],
    ['EAI_AGAIN', 'not-sent'],
    ['InvalidAccessKeyId.NotFound', 'account-refused'],
    ['SignatureDoesNotMatch', 'account-refused'],
    ['Forbidden.RAM', 'account-refused'],
    ['iot.system.BillIsOverDue', 'account-refused'],
    ['Iot.system.BillIsOverDue', 'account-refused'],
    ['InvalidCredentials', 'account-refused'],
    ['iot.prod.NotExistedProduct', 'batch-refused'],
    ['iot.prod.InvalidFormattedProductkey', 'batch-refused'],
    ['iot.sre.iotinstancenotfound', 'batch-refused'],
    ['iot.system.UidNotFound', 'batch-refused'],
    ['iot.system.IllegalRequest', 'batch-refused'],
    ['iot.system.InstanceIdSame', 'batch-refused'],
    ['iot.device.NotExistedDevice', 'batch-refused'],
    ['iot.device.DeviceCountExceeded', 'batch-refused'],
  ])('takes %s as %s', (code, kind) => {
    expect(kindOfCode(code)).toBe(kind)
  })

  it.each([
    'ECONNRESET',
    'ETIMEDOUT',
    'Forbidden',
    'iot.distribute.JobCountExceeded',
    'iot.product',
    '',
    '__proto__',
  ])('does not guess at %j', code => {
    expect(kindOfCode(code)).toBeNull()
  })

  it('compares codes without regard to case', () => {
    fc.assert(
      fc.property(fc.mixedCase(fc.constant('iot.system.instanceidsame')), code => {
        expect(kindOfCode(code)).toBe('batch-refused')
      }),
    )
  })
})
