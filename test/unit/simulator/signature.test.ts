import { createSignatureCheck } from '../../../src/tools/simulator/signature'
import { type CallSpec, signedV2, signedV3 } from './signed-call'

const at = Date.parse('2026-11-24T08:00:00Z')
const rules = {
  accessKeyId: 'simulator',
  accessKeySecret: 'simulator-secret',
  securityToken: '',
  clockSkewMs: 900_000,
}
const spec: CallSpec = { action: 'QueryDeviceDistributeJob', at, query: 'JobId=abc' }

describe.each([
  ['version 3', signedV3],
  ['version 2', signedV2],
])('a signature of %s', (_, sign) => {
  const codeOf = (call: ReturnType<typeof sign>, now = at, check = createSignatureCheck(rules)): string => {
    const checked = check(call, now)
    return 'error' in checked ? checked.error.code : checked.claim.action
  }

  it('holds for the call that was signed', () => expect(codeOf(sign(spec))).toBe('QueryDeviceDistributeJob'))

  it('holds for a form', () => {
    const form = 'DeviceName.1=meter-1&DeviceName.2=meter-2'
    expect(codeOf(sign({ ...spec, form }))).toBe('QueryDeviceDistributeJob')
  })

  it.each([
    ['SignatureDoesNotMatch', { secret: 'another' }],
    ['InvalidAccessKeyId.NotFound', { accessKeyId: 'another' }],
    ['InvalidTimeStamp.Expired', { at: at - 900_001 }],
    ['InvalidTimeStamp.Expired', { at: at + 901_000 }],
    ['IncompleteSignature', { nonce: '' }],
  ])('gives %s for %j', (code, more) => expect(codeOf(sign({ ...spec, ...more }))).toBe(code))

  it('does not hold for another query', () => {
    const call = sign(spec)
    const query = call.query.map(([key, value]) => [key, value.replace('abc', 'abd')] as const)
    expect(codeOf({ ...call, query })).toBe('SignatureDoesNotMatch')
  })

  it('does not hold for another form', () => {
    const call = sign({ ...spec, form: 'DeviceName.1=meter-1' })
    const other = sign({ ...spec, form: 'DeviceName.1=meter-2' })
    expect(codeOf({ ...call, form: other.form, body: other.body })).toBe('SignatureDoesNotMatch')
  })

  it('takes a nonce once, and again only when its time stamp has long expired', () => {
    const check = createSignatureCheck(rules)
    const call = sign({ ...spec, nonce: 'same' })
    expect(codeOf(call, at, check)).toBe('QueryDeviceDistributeJob')
    expect(codeOf(call, at + 1000, check)).toBe('SignatureNonceUsed')
    const later = at + 1_800_000
    expect(codeOf(sign({ ...spec, nonce: 'same', at: later }), later, check)).toBe('QueryDeviceDistributeJob')
  })
})

describe('the check of signatures refuses', () => {
  const call = signedV3(spec)
  const codeOf = (headers: Record<string, string>, more = {}) => {
    const checked = createSignatureCheck({ ...rules, ...more })({ ...call, headers }, at)
    return 'error' in checked ? checked.error.code : 'ok'
  }

  it('a call without a signature', () => expect(codeOf({ host: '127.0.0.1:1234' })).toBe('MissingSignature'))

  it('headers that the signature leaves out', () => {
    const authorization = (call.headers.authorization ?? '').replace('host;', '')
    expect(codeOf({ ...call.headers, authorization })).toBe('IncompleteSignature')
  })

  it('another host than was signed', () =>
    expect(codeOf({ ...call.headers, host: 'elsewhere' })).toBe('SignatureDoesNotMatch'))

  it('a wrong security token, if one is demanded', () => {
    const headers = signedV3({ ...spec, token: 'right' }).headers
    expect(codeOf(headers, { securityToken: 'right' })).toBe('ok')
    expect(codeOf(headers, { securityToken: 'other' })).toBe('InvalidSecurityToken.MismatchWithAccessKey')
    expect(codeOf(headers)).toBe('ok')
  })
})
