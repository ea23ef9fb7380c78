import { createDeployment, type Deployment, quickJobs, routeFields } from '../support/deployment'
import { describeKafka, produceRecords } from '../support/kafka'
import { type ReadRecord, readTopic } from '../support/read-topic'
import { until } from '../support/until'

jest.setTimeout(180_000)

/** Every device fails for good. */
const failing = ['--device-faults', '[{"code":"iot.device.NotExistedDevice","rate":1,"permanent":true}]']

interface Result {
  readonly requestId: string
  readonly deviceName: string | null
  readonly outcome: string
  readonly final: boolean
}

describeKafka('a dead letter', () => {
  let deployment: Deployment

  beforeEach(async () => {
    deployment = await createDeployment([...quickJobs, ...failing])
  })
  afterEach(() => deployment.stop())

  const results = async (): Promise<Result[]> =>
    (await readTopic(deployment.topics.results)).map(({ value }) => JSON.parse(String(value)) as Result)
  /** Resolves with every dead letter so far as soon as there are `count`. */
  const deadLetters = async (count: number): Promise<ReadRecord[]> => {
    // Every move of this suite ends as a dead letter, but for those that are corrected.
    await deployment.settled(count)
    await deployment.published()
    const found = await readTopic(deployment.topics.deadLetters)
    expect(found.length).toBeGreaterThanOrEqual(count)
    return found
  }
  const header = (record: ReadRecord | undefined, name: string): string => String(record?.headers[name])
  const idOf = (record: ReadRecord): string =>
    (JSON.parse(String(record.value)) as { requestId: string }).requestId
  /** Sends dead letters again with their key, value and content type. */
  const submitAgain = (records: readonly ReadRecord[]): Promise<void> =>
    produceRecords(
      deployment.topics.requests,
      records.map(({ key, value, headers }) => ({
        key,
        value,
        headers: headers['content-type'] ? { 'content-type': headers['content-type'] } : {},
      })),
    )

  it('is a request of its own when it is submitted again, and gives the next one when that fails', async () => {
    deployment.run()
    await produceRecords(deployment.topics.requests, [
      { value: JSON.stringify({ ...routeFields, requestId: 'fails', deviceName: 'meter-000001' }) },
      {
        value: JSON.stringify({ ...routeFields, requestId: 'bad', deviceName: 'meter-000002', strategy: 7 }),
      },
      {
        value: JSON.stringify({
          ...routeFields,
          requestId: 'names',
          deviceNames: ['bad name', 'meter-000003'],
        }),
      },
      {
        value: JSON.stringify({
          ...routeFields,
          requestId: 'pair',
          deviceName: 'm',
          deviceNames: ['meter-000004'],
        }),
      },
    ])
    const first = await deadLetters(5)
    expect(first.map(idOf).sort()).toEqual(['bad~1', 'fails~1', 'names~1', 'names~1', 'pair~1'])
    await submitAgain(first)
    const second = (await deadLetters(10)).filter(
      record =>
        !first.some(({ partition, offset }) => partition === record.partition && offset === record.offset),
    )
    expect(second.map(idOf).sort()).toEqual(['bad~2', 'fails~2', 'names~2', 'names~2', 'pair~2'])
    expect(second.map(record => header(record, 'original-request-id')).sort()).toEqual(first.map(idOf).sort())

    // The corrected request is accepted, and only the provider refuses it.
    const corrected = second.find(record => idOf(record) === 'bad~2')
    await produceRecords(deployment.topics.requests, [
      { value: JSON.stringify({ ...JSON.parse(String(corrected?.value)), strategy: 0 }) },
    ])
    const third = (await deadLetters(11)).find(record => idOf(record) === 'bad~3')
    expect(header(third, 'error-code')).toBe('iot.device.NotExistedDevice')

    const all = await results()
    expect(all.every(({ final }) => final)).toBe(true)
    expect(new Set(all.map(({ requestId, deviceName }) => `${requestId} ${deviceName}`)).size).toBe(11)
    expect(await deployment.conservation()).toMatchObject({ accepted: 11, duplicate: 0, gap: 0 })
  })

  it('is the whole event, with the key and the time of the record, when the event could not be read', async () => {
    deployment.run()
    const contentType = 'application/cloudevents+json; charset=utf-8'
    const value = JSON.stringify({ specversion: '0.3', id: 'event-9', data: routeFields })
    const timestamp = String(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
    await produceRecords(deployment.topics.requests, [
      { partition: 2, value, timestamp, headers: { 'content-type': contentType } },
    ])
    const position = `${deployment.topics.requests}/2/0`
    const [letter] = await deadLetters(1)
    expect(String(letter?.value)).toBe(value)
    expect(String(letter?.key)).toBe(position)
    for (const [name, expected] of Object.entries({
      'content-type': contentType,
      'original-size': String(value.length),
      'original-request-id': position,
      'original-partition': '2',
      'original-offset': '0',
      'original-timestamp': timestamp,
    }))
      expect([name, header(letter, name)]).toEqual([name, expected])
    const fixed = JSON.stringify({
      ...JSON.parse(value),
      specversion: '1.0',
      data: { ...routeFields, deviceName: 'meter-1' },
    })
    await submitAgain([{ ...(letter as ReadRecord), value: Buffer.from(fixed) }])
    await until(async () => (await results()).some(({ requestId }) => requestId === 'event-9'))
  })

  it('carries the time of the record, whatever the request says, through every attempt', async () => {
    deployment.run()
    const timestamp = String(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
    const requestedAt = '2025-12-31T00:00:00.000Z'
    await produceRecords(deployment.topics.requests, [
      {
        timestamp,
        value: JSON.stringify({ ...routeFields, requestId: 'a', requestedAt, deviceName: 'meter-000001' }),
      },
      {
        timestamp,
        value: JSON.stringify({ ...routeFields, requestId: 'b', requestedAt, deviceName: 'bad name' }),
      },
    ])
    for (const letter of await deadLetters(2)) {
      expect(header(letter, 'original-timestamp')).toBe(timestamp)
      expect(JSON.parse(String(letter.value))).toMatchObject({ requestedAt })
    }
  })
})
