import { goodRequest, makeRecord, parse, parseWith, textOf } from './make-record'

const structured = { 'content-type': 'application/cloudevents+json; charset=UTF-8' }
const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const { requestId, ...unnamed } = goodRequest
const event = { specversion: '1.0', id: 'event-9', source: '/erp', type: 'move', data: unnamed }
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')

describe('a CloudEvent in binary mode', () => {
  it('is a request like any other, and has the id of the event unless it gives one', () => {
    const headers = {
      ce_specversion: '1.0',
      ce_id: 'event-9',
      ce_type: 'move',
      ce_source: '/erp',
      'content-type': 'application/json',
    }
    expect(parse(makeRecord(unnamed, headers)).requests[0]?.requestId).toBe('event-9')
    expect(parse(makeRecord(goodRequest, headers)).requests[0]?.requestId).toBe(requestId)
  })
})

describe('a CloudEvent in structured mode', () => {
  it.each([
    ['data', event],
    ['data_base64', { ...event, data: undefined, data_base64: base64(unnamed) }],
    ['a later minor version', { ...event, specversion: '1.1' }],
  ])('with %s is opened', (_, value) => {
    const { requests, rejections } = parse(makeRecord(value, structured))
    expect(rejections).toEqual([])
    expect(requests).toMatchObject([{ requestId: 'event-9', deviceNames: ['meter-000017'] }])
  })

  it('may have its data anywhere among its members', () => {
    const value = `{"x":{"data":1},"data" : ${JSON.stringify(goodRequest)} ,"id":"event-9","specversion":"1.0"}`
    expect(parse(makeRecord(value, structured)).requests[0]?.requestId).toBe(requestId)
  })

  it.each([
    ['another version', { ...event, specversion: '0.3' }, 'invalid_request', '$.specversion must be "1.0"'],
    ['no data', { ...event, data: undefined }, 'invalid_request', 'needs either $.data or $.data_base64'],
    [
      'both kinds of data',
      { ...event, data_base64: base64(unnamed) },
      'invalid_request',
      'needs either $.data or $.data_base64',
    ],
    [
      'data as text',
      { ...event, data: JSON.stringify(unnamed) },
      'invalid_request',
      '$ must be a JSON object',
    ],
    [
      'what is not base64',
      { ...event, data: undefined, data_base64: '%%%' },
      'invalid_encoding',
      'not base64',
    ],
    [
      'bytes that are not UTF-8',
      { ...event, data: undefined, data_base64: '//79' },
      'invalid_encoding',
      'UTF-8',
    ],
  ])(
    'with %s is rejected under its position, and its bytes and media type are kept',
    (_, value, code, text) => {
      const record = makeRecord(value, structured)
      const { requests, rejections } = parse(record)
      expect(requests).toEqual([])
      expect(rejections).toMatchObject([
        { code, requestId: 'device-move.requests/3/1234', contentType: structured['content-type'] },
      ])
      expect(rejections[0]?.message).toContain(text)
      expect(textOf(rejections[0]?.deadLetter)).toBe(JSON.stringify(value))
    },
  )

  it('is rejected under its id if its request breaks a rule, and the dead letter is that request under the next id', () => {
    const { rejections } = parse(makeRecord({ ...event, data: { ...unnamed, strategy: 3 } }, structured))
    expect(rejections).toMatchObject([
      { code: 'invalid_request', requestId: 'event-9', originalSize: null, contentType: null },
    ])
    expect(rejections[0]?.message).toContain('$.strategy must be 0 or 1')
    expect(JSON.parse(textOf(rejections[0]?.deadLetter))).toEqual({
      ...unnamed,
      strategy: 3,
      requestId: 'event-9~1',
    })
  })

  it('is rejected if its data has a field twice', () => {
    const value = `{"id":"event-9","specversion":"1.0","data":{"deviceName":"meter-1","deviceName":"meter-2"}}`
    expect(parse(makeRecord(value, structured)).rejections[0]?.message).toContain(
      '$.deviceName is given more than once',
    )
  })

  it('is rejected if it is a batch of events', () => {
    const headers = { 'content-type': 'application/cloudevents-batch+json' }
    expect(parse(makeRecord([event], headers)).rejections).toMatchObject([{ code: 'invalid_request' }])
  })
})

describe('the trace context of a record', () => {
  it.each([
    ['its header', () => parseWith({}, { traceparent: trace })],
    ['the extension in binary mode', () => parseWith({}, { ce_traceparent: trace })],
    [
      'the extension in structured mode',
      () => parse(makeRecord({ ...event, traceparent: trace }, structured)),
    ],
  ])('is taken from %s', (_, parsed) => {
    expect(parsed().requests[0]?.traceparent).toBe(trace)
  })

  it('is part of its rejection too', () => {
    expect(parseWith({ strategy: 3 }, { traceparent: trace }).rejections[0]?.traceparent).toBe(trace)
  })

  it.each([
    'nonsense',
    trace.toUpperCase(),
    `${trace}-extra`,
    trace.replace(/^00/, 'ff'),
    trace.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
    trace.replace('00f067aa0ba902b7', '0'.repeat(16)),
  ])('is dropped if it has another shape: %s', traceparent => {
    expect(parseWith({}, { traceparent }).requests).toMatchObject([{ traceparent: null }])
  })
})
