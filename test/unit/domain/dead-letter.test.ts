import type { Outcome } from '../../../src/domain/outcome'
import { encodeDeadLetter, nextRequestId } from '../../../src/domain/outcome-records'
import type { RouteFields } from '../../../src/domain/route'
import { sampleOutcome } from '../../support/sample-outcome'

const route: RouteFields = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  strategy: 0,
  targetInstanceIds: ['iot-cn-6ja9x1'],
  targetUid: '1984000000000001',
  targetAliyunId: null,
  priority: 'urgent',
}
const failed = (more: Partial<Outcome> = {}): Outcome =>
  sampleOutcome(7, { outcome: 'failed', code: '6206', message: 'no such device', attempt: 5, route, ...more })

const requestOf = (outcome: Outcome): unknown =>
  JSON.parse(new TextDecoder().decode(encodeDeadLetter(outcome)?.value ?? new Uint8Array()))

describe('nextRequestId', () => {
  it.each([
    ['fleet-42/0007', 'fleet-42/0007~1'],
    ['fleet-42/0007~1', 'fleet-42/0007~2'],
    ['fleet-42/0007~9', 'fleet-42/0007~10'],
    ['a~b', 'a~b~1'],
    ['a~0', 'a~0~1'],
    ['~3', '~3~1'],
  ])('turns %s into %s', (old, next) => {
    expect(nextRequestId(old)).toBe(next)
  })

  it('cuts an id to 256 whole characters and keeps its end, which tells ids apart', () => {
    const old = `${'🚀'.repeat(250)}/12345`
    const next = nextRequestId(old)
    expect([...next]).toHaveLength(256)
    expect(next).toMatch(/^🚀+…🚀+\/12345~1$/u)
    expect(nextRequestId(next)).toMatch(/\/12345~2$/)
  })

  it('gives further distinct ids when an id of 256 characters has no room left', () => {
    let id = 'x'.repeat(256)
    const ids = new Set(Array.from({ length: 12 }, () => (id = nextRequestId(id))))
    expect(ids.size).toBe(12)
    expect([...ids].every(each => each.length <= 256)).toBe(true)
  })
})

describe('encodeDeadLetter', () => {
  it.each<[string, Partial<Outcome>]>([
    ['a move', { outcome: 'moved' }],
    ['a failure that is re-queued', { final: false }],
    ['a superseded move', { outcome: 'superseded' }],
  ])('gives no dead letter for %s', (_, more) => {
    expect(encodeDeadLetter(failed(more))).toBeNull()
  })

  it('writes a failed move as a request under a new id', () => {
    expect(requestOf(failed())).toEqual({
      requestId: 'requests/0/7~1',
      deviceName: 'meter-7',
      productKey: 'a1BwAGVexmp',
      sourceInstanceId: 'iot-060a02m5',
      targetInstanceId: 'iot-cn-6ja9x1',
      strategy: 0,
      targetUid: '1984000000000001',
      priority: 'urgent',
      requestedAt: '2023-11-14T22:13:20.000Z',
    })
  })

  it('names several targets as a list, and the account as the request did', () => {
    const targetInstanceIds = ['iot-a', 'iot-b']
    const near: RouteFields = {
      ...route,
      strategy: 1,
      targetInstanceIds,
      targetUid: null,
      targetAliyunId: 'a@b',
    }
    const request = requestOf(failed({ route: near, strategy: 1, targetInstanceIds }))
    expect(request).toMatchObject({ targetInstanceIds, strategy: 1, targetAliyunId: 'a@b' })
    expect(request).not.toHaveProperty('targetInstanceId')
    expect(request).not.toHaveProperty('targetUid')
  })

  it('names the origin of a dead letter and the reason for it in its headers', () => {
    expect(encodeDeadLetter(failed())).toMatchObject({
      key: 'a1BwAGVexmp/meter-7',
      headers: {
        'content-type': 'application/json',
        'error-code': '6206',
        'error-message': 'no such device',
        attempts: '5',
        'original-request-id': 'requests/0/7',
        'original-topic': 'requests',
        'original-partition': '0',
        'original-offset': '7',
        // The timestamp is of the record, not of the request.
        'original-timestamp': '1699999999000',
      },
    })
    expect(encodeDeadLetter(failed())?.headers).not.toHaveProperty('original-size')
  })

  it('passes the trace context on, and cuts the message in the header at 1,000 characters', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const { headers } = encodeDeadLetter(failed({ traceparent, message: 'm'.repeat(5_000) })) ?? {}
    expect(headers).toMatchObject({ traceparent, 'error-message': 'm'.repeat(1_000) })
    expect(encodeDeadLetter(failed())?.headers).not.toHaveProperty('traceparent')
  })

  it('passes the bytes of a rejection on, with their size if they are the original value', () => {
    const deadLetter = new Uint8Array([0xff, 0x00])
    const rejected = failed({
      outcome: 'rejected',
      attempt: 1,
      route: null,
      deadLetter,
      originalSize: 1_000_000,
      contentType: 'application/cloudevents+json',
      deviceName: null,
    })
    const letter = encodeDeadLetter(rejected)
    expect(letter?.value).toBe(deadLetter)
    expect(letter?.key).toBe('requests/0/7')
    expect(letter?.headers).toMatchObject({
      'original-size': '1000000',
      'content-type': 'application/cloudevents+json',
      attempts: '0',
    })
    const plain = encodeDeadLetter({ ...rejected, contentType: null })
    expect(plain?.headers).not.toHaveProperty('content-type')
  })
})
