import { createDeployment, type Deployment, names, quickJobs, routeFields } from '../support/deployment'
import { describeKafka, produceRecords, testKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'

jest.setTimeout(180_000)

const request = (more: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...routeFields, deviceName: 'meter-bad', ...more })
const without = (name: keyof typeof routeFields, more: Readonly<Record<string, unknown>> = {}): string => {
  const { [name]: _left, ...rest } = routeFields
  return JSON.stringify({ ...rest, deviceName: 'meter-bad', ...more })
}

/** What upstream systems get wrong, each with the code it is rejected with. */
const badValues: readonly (readonly [string, string | Buffer | null, string])[] = [
  ['broken JSON', '{"deviceName": "meter-1", ', 'invalid_json'],
  ['an array', '[1, 2]', 'invalid_request'],
  ['wrong types', request({ strategy: 'zero', targetUid: 1984000000000001 }), 'invalid_request'],
  ['a tombstone', null, 'empty_value'],
  ['an empty value', '', 'empty_value'],
  ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'invalid_encoding'],
  ['a NUL in a string', request({ requestId: 'a\u0000b' }), 'invalid_request'],
  ['a request id of 900 kB', request({ requestId: 'r'.repeat(900_000) }), 'invalid_request'],
  ['a name with a space', request({ deviceName: 'bad name' }), 'invalid_device_name'],
  ['a name of 33 characters', request({ deviceName: 'n'.repeat(33) }), 'invalid_device_name'],
  ['both target forms', request({ targetInstanceIds: ['iot-a', 'iot-b'], strategy: 1 }), 'invalid_request'],
  [
    'strategy 0 with two targets',
    without('targetInstanceId', { targetInstanceIds: ['iot-a', 'iot-b'] }),
    'invalid_request',
  ],
  ['source equal to target', request({ targetInstanceId: routeFields.sourceInstanceId }), 'invalid_request'],
  ['no target account', without('targetUid'), 'invalid_request'],
]

describeKafka('a bad record', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  it('is rejected record by record, and stops nothing', async () => {
    deployment = await createDeployment(quickJobs)
    const { requests, results, deadLetters } = deployment.topics
    const service = deployment.run()
    await deployment.submit(names('before', 50))
    // All records go to one partition, which shows that the ones after a bad record are read.
    for (const [name, value] of badValues)
      await produceRecords(requests, [{ partition: 0, key: name, value: value as Buffer | null }])
    const tooMany = JSON.stringify({ ...routeFields, requestId: 'many', deviceNames: names('many', 10_001) })
    await produceRecords(requests, [{ partition: 0, key: 'many', value: tooMany }])
    // These values are large and small on the wire, so the broker accepts them and the service has to cope with them.
    const producer = testKafka().producer()
    await producer.connect()
    await producer.send({
      topic: requests,
      compression: 1,
      messages: [
        {
          partition: 0,
          key: 'padded',
          value: request({ deviceName: 'meter-padded', padding: 'x'.repeat(2_000_000) }),
        },
        {
          partition: 0,
          key: 'huge',
          value: request({ deviceName: 'meter-huge', padding: 'x'.repeat(5_000_000) }),
        },
      ],
    })
    await producer.disconnect()
    await deployment.submit(names('after', 50))

    const rejected = badValues.length + 2
    const counts = await deployment.settled(101 + rejected)
    expect(counts).toMatchObject({ moved: 101, rejected, failed: 0, gap: 0 })
    await deployment.published()
    const found = await readTopic(results)
    expect(found).toHaveLength(101 + rejected)
    const codes = found
      .map(({ value }) => JSON.parse(String(value)) as { outcome: string; code: string; final: boolean })
      .filter(({ outcome, final }) => outcome === 'rejected' && final)
      .map(({ code }) => code)
    expect(codes.sort()).toEqual(
      [...badValues.map(([, , code]) => code), 'invalid_request', 'record_too_large'].sort(),
    )
    const dead = await readTopic(deadLetters)
    expect(dead).toHaveLength(rejected)
    for (const { headers } of dead)
      expect(Object.keys(headers)).toEqual(
        expect.arrayContaining(['error-code', 'error-message', 'original-topic', 'original-offset']),
      )
    expect(service.child.exitCode).toBeNull()
  })
})
