import { createRecordParser } from '../../../src/requests/parse-record'
import { goodRequest, makeRecord, parse, parseWith, recordedAtMs } from './make-record'

const routeWith = (changes: Readonly<Record<string, unknown>>) => parseWith(changes).requests[0]?.route

describe('a valid record', () => {
  it('becomes one request, with a default for every field that it leaves out', () => {
    expect(parse(makeRecord(goodRequest))).toEqual({
      requests: [
        {
          position: { topic: 'device-move.requests', partition: 3, offset: 1234n },
          requestId: 'fleet-42/0007',
          route: {
            productKey: 'a1BwAGVexmp',
            sourceInstanceId: 'iot-060a02m5',
            strategy: 0,
            targetInstanceIds: ['iot-cn-6ja9x1'],
            targetUid: '1984000000000001',
            targetAliyunId: null,
            priority: 'normal',
          },
          deviceNames: ['meter-000017'],
          requestedAt: new Date(recordedAtMs),
          recordedAt: new Date(recordedAtMs),
          traceparent: null,
        },
      ],
      rejections: [],
    })
  })

  it('becomes a request with the priority and the time that it gives', () => {
    const request = parseWith({ priority: 'urgent', requestedAt: '2026-11-24T16:00:00.250+08:00' })
      .requests[0]
    expect(request?.route.priority).toBe('urgent')
    expect(request?.requestedAt.toISOString()).toBe('2026-11-24T08:00:00.250Z')
  })

  it('has its targets sorted, each once, so that equal routes are equal', () => {
    const targets = {
      targetInstanceId: undefined,
      strategy: 1,
      targetInstanceIds: ['iot-b', 'iot-a', 'iot-b'],
    }
    expect(routeWith(targets)).toMatchObject({ strategy: 1, targetInstanceIds: ['iot-a', 'iot-b'] })
  })

  it('may give its one target as a list with strategy 0', () => {
    expect(
      routeWith({ targetInstanceId: undefined, targetInstanceIds: ['iot-a'] })?.targetInstanceIds,
    ).toEqual(['iot-a'])
  })

  it.each([
    [{ targetUid: 'own' }, { targetUid: 'own', targetAliyunId: null }],
    [
      { targetUid: undefined, targetAliyunId: 'a@b' },
      { targetUid: null, targetAliyunId: 'a@b' },
    ],
    [{ targetUid: undefined }, { targetUid: 'configured', targetAliyunId: null }],
  ])('with account %j goes to %j', (changes, account) => {
    const configured = createRecordParser({ defaultTargetUid: 'configured', defaultTargetAliyunId: null })
    expect(configured(makeRecord({ ...goodRequest, ...changes })).requests[0]?.route).toMatchObject(account)
  })

  it('goes to the account of the configured login if no id is configured', () => {
    const configured = createRecordParser({ defaultTargetUid: null, defaultTargetAliyunId: 'a@b' })
    const { requests } = configured(makeRecord({ ...goodRequest, targetUid: undefined }))
    expect(requests[0]?.route).toMatchObject({ targetUid: null, targetAliyunId: 'a@b' })
  })

  it.each([
    [{}, {}, 'fleet-42/0007'],
    [{}, { ce_id: 'event-9' }, 'fleet-42/0007'],
    [{ requestId: undefined }, { ce_id: 'event-9' }, 'event-9'],
    [{ requestId: undefined }, { ce_id: 'bad\u0000id' }, 'device-move.requests/3/1234'],
    [{ requestId: undefined }, {}, 'device-move.requests/3/1234'],
  ])('with fields %j and headers %j gets the request id %s', (changes, headers, requestId) => {
    expect(parseWith(changes, headers).requests[0]?.requestId).toBe(requestId)
  })

  it.each(['meter-000017', 'a@b.', 'A_1:', 'x'.repeat(32)])('may have the device name %s', deviceName => {
    expect(parseWith({ deviceName }).requests[0]?.deviceNames).toEqual([deviceName])
  })

  it.each([
    ['unknown fields', JSON.stringify({ ...goodRequest, site: { deep: [1, 2] } })],
    ['an unknown field twice', `{"x":1,"x":2,${JSON.stringify(goodRequest).slice(1)}`],
    ['a byte order mark', `\ufeff${JSON.stringify(goodRequest)}`],
    ['a __proto__ member', `{"__proto__":{"strategy":7},${JSON.stringify(goodRequest).slice(1)}`],
    [
      'a field repeated inside an unknown one',
      `{"x":{"strategy":0,"strategy":1},${JSON.stringify(goodRequest).slice(1)}`,
    ],
    ['two megabytes of an unknown field', JSON.stringify({ ...goodRequest, note: 'n'.repeat(2_000_000) })],
    ['quotes and braces in strings', JSON.stringify({ ...goodRequest, note: '\\"}{,:"\\\\' })],
  ])('is accepted with %s', (_, value) => {
    expect(parse(makeRecord(value))).toMatchObject({
      requests: [{ deviceNames: ['meter-000017'] }],
      rejections: [],
    })
  })

  it.each([-1, Number.NaN, 1e300])(
    'may have the timestamp %d, which is moved into 1970 to 9999',
    timestampMs => {
      const { requests } = parse({ ...makeRecord(goodRequest), timestampMs })
      expect(requests[0]?.requestedAt.toISOString()).toMatch(/^(1970|9999)-/)
    },
  )
})
