import { Client } from 'pg'
import { startCli } from '../support/cli-process'
import { createTestDatabase } from '../support/database'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka, produceRecords, testBrokers, testKafka, uniqueTopic } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { until } from '../support/until'

jest.setTimeout(180_000)

const quick = ['--init-ms', '0', '--base-ms', '200', '--per-device-ms', '0']

const good = {
  productKey: 'a1BwAGVexmp',
  sourceInstanceId: 'iot-060a02m5',
  targetInstanceId: 'iot-cn-6ja9x1',
  targetUid: '1984000000000001',
}
const request = (more: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ ...good, deviceName: 'meter-bad', ...more })
const without = (name: keyof typeof good, more: Readonly<Record<string, unknown>> = {}): string => {
  const { [name]: _left, ...rest } = good
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
  ['source equal to target', request({ targetInstanceId: good.sourceInstanceId }), 'invalid_request'],
  ['no target account', without('targetUid'), 'invalid_request'],
]

describeKafka('bad input', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  it('is rejected record by record, and stops nothing', async () => {
    deployment = await createDeployment(quick)
    const { requests, results, deadLetters } = deployment.topics
    const service = deployment.run()
    await deployment.submit(names('before', 50))
    // All in one partition, so that what follows a bad record is seen to be read.
    for (const [name, value] of badValues)
      await produceRecords(requests, [{ partition: 0, key: name, value: value as Buffer | null }])
    const tooMany = JSON.stringify({ ...good, requestId: 'many', deviceNames: names('many', 10_001) })
    await produceRecords(requests, [{ partition: 0, key: 'many', value: tooMany }])
    // 2 MB, and small on the wire: the broker takes it, the service must bear it.
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
    await until(async () => (await readTopic(results)).length === 101 + rejected, 300)
    const codes = (await readTopic(results))
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

  it('result files that are HTML, empty, truncated or huge are asked for again, then hold their job; the others go on', async () => {
    deployment = await createDeployment([...quick, '--huge-file-mb', '300'])
    for (const fault of ['html', 'empty', 'truncated', 'huge', 'html']) {
      const inject = await fetch(`${deployment.simulatorUrl}/_simulator/fail-next`, {
        method: 'POST',
        body: JSON.stringify({ operation: 'file', fault: { kind: 'file', fault }, times: 1 }),
      })
      expect(inject.status).toBe(200)
    }
    await deployment.submitTogether(names('bad', 20))
    const service = deployment.run({ LOOKUP_MAX_DEVICES: '0' })
    await service.line(text => text.includes('"job-held"'))
    await deployment.submit(names('next', 30), { targetInstanceId: 'iot-cn-other' })
    expect(await deployment.settled(50)).toMatchObject({ moved: 30, held: 20, gap: 0 })
    const client = new Client({ connectionString: deployment.databaseUrl })
    await client.connect()
    const { rows } = await client.query(
      'select held_reason, devices from device_move.jobs where held_at is not null',
    )
    await client.end()
    expect(rows).toEqual([{ held_reason: expect.stringContaining('no results could be read'), devices: 20 }])
    const problems = service.stderr.filter(line => line.includes('"result-file-problem"'))
    expect(problems).toHaveLength(5)
  }, 240_000)
})

interface Listen {
  readonly host?: string
  readonly port?: string
}

describeKafka('a service that cannot start as configured', () => {
  let deployment: Deployment

  afterEach(() => deployment.stop())

  const readyz = async (service: ReturnType<typeof startCli>): Promise<string> => {
    const line = await service.line(text => text.includes('"listening"'))
    const { url } = JSON.parse(line) as { url: string }
    const answer = await fetch(`${url}/readyz`)
    return `${answer.status} ${await answer.text()}`
  }

  it('waits for a topic that is not there, and says which', async () => {
    deployment = await createDeployment(quick)
    const topic = uniqueTopic('nobody-made')
    const service = startCli(['run'], { ...deployment.environment, KAFKA_REQUESTS_TOPIC: topic })
    await until(async () => (await readyz(service)).includes(topic))
    expect(await readyz(service)).toMatch(/^503 /)
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it('waits for a broker that cannot be reached', async () => {
    deployment = await createDeployment(quick)
    const service = startCli(['run'], { ...deployment.environment, KAFKA_BROKERS: '127.0.0.1:1' })
    await until(async () => /^503 .*127\.0\.0\.1:1/.test(await readyz(service)))
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it('waits for a database that cannot be reached', async () => {
    deployment = await createDeployment(quick)
    const service = startCli(['run'], {
      ...deployment.environment,
      DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/x',
    })
    await service.line(text => text.includes('waiting for the database'))
    expect(await readyz(service)).toMatch(/^503 .*database/)
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(service.stderr.join('\n')).not.toContain('hunter2')
  })

  /** The one line that says why the service ended; what is expected to happen comes without a stack. */
  const whyEnded = (service: ReturnType<typeof startCli>): string => {
    const last = JSON.parse(service.stderr.at(-1) ?? '{}') as { msg?: string; reason?: string }
    expect(last.msg).toBe('cannot go on')
    expect(service.stderr.join('\n')).not.toContain('    at ')
    return last.reason ?? ''
  }

  it('ends at once for a wrong password, without repeating it', async () => {
    deployment = await createDeployment(quick)
    const url = new URL(deployment.databaseUrl)
    url.password = 'hunter2'
    const service = startCli(['run'], { ...deployment.environment, DATABASE_URL: url.href })
    expect(await service.ended).toBe(1)
    expect(whyEnded(service)).toMatch(/password authentication failed.*\. Check the user and the password in/)
    expect(service.stderr.join('\n')).not.toContain('hunter2')
  })

  it('ends for a schema that nobody made, with --no-migrate', async () => {
    deployment = await createDeployment(quick)
    const service = startCli(['run', '--no-migrate'], deployment.environment)
    expect(await service.ended).toBe(1)
    expect(whyEnded(service)).toMatch(/does not exist\. Run `device-move migrate`/)
  })

  it.each([
    ['a port that is taken', 1, { port: 'taken' }, /another process listens there\. Change HTTP_HOST/],
    ['an address of elsewhere', 2, { host: '192.0.2.1' }, /no address of this machine\. Change HTTP_HOST/],
    ['a host that is none', 2, { host: 'nowhere.invalid' }, /there is no such host\. Change HTTP_HOST/],
  ])('ends for %s', async (_what, status, { port, host = '127.0.0.1' }: Listen, why) => {
    deployment = await createDeployment(quick)
    const taken = new URL(deployment.simulatorUrl).port
    const service = startCli(['run'], {
      ...deployment.environment,
      HTTP_HOST: host,
      HTTP_PORT: port === 'taken' ? taken : '0',
    })
    expect(await service.ended).toBe(status)
    expect(whyEnded(service)).toMatch(why)
  })

  it('ends for a database that is newer than the code', async () => {
    deployment = await createDeployment(quick)
    const first = deployment.run()
    await first.line(text => text.includes('"migrated"'))
    first.kill('SIGTERM')
    await first.ended
    const client = new Client({ connectionString: deployment.databaseUrl })
    await client.connect()
    await client.query(
      `insert into device_move_journal.migration (name, run_on) values ('9999_future', now())`,
    )
    await client.end()
    const service = deployment.run()
    expect(await service.ended).toBe(1)
    expect(whyEnded(service)).toMatch(/the database is newer than this release: it has 9999_future\. Run the/)
  })
})

describe('the command line', () => {
  it.each([
    ['--help'],
    ['run', '--help'],
    ['demo', '--help'],
    ['move', '--help'],
    ['submit', '--help'],
    ['migrate', '--help'],
    ['simulate', '--help'],
  ])('explains %s %s', async (...args) => {
    const cli = startCli(args)
    expect(await cli.ended).toBe(0)
    expect(cli.stdout.join('\n')).toContain('Usage: device-move')
  })

  it('lists every problem of the configuration and ends with 2', async () => {
    const cli = startCli(['run'], { QUOTA_JOBS: 'many', HTTP_PORT: '99999' })
    expect(await cli.ended).toBe(2)
    const text = cli.stderr.join('\n')
    for (const name of [
      'KAFKA_BROKERS',
      'DATABASE_URL',
      'ALIBABA_CLOUD_ACCESS_KEY_ID',
      'ALIBABA_CLOUD_ACCESS_KEY_SECRET',
      'QUOTA_JOBS',
      'HTTP_PORT',
    ])
      expect(text).toContain(name)
  })

  it.each([[['frobnicate']], [['move']], [['run', '--frobnicate']], [['simulate', '--jobs', 'many']]])(
    'ends with 2 for %j',
    async args => {
      const cli = startCli(args)
      expect(await cli.ended).toBe(2)
      expect(cli.stderr.join('\n')).not.toBe('')
    },
  )

  it('says in one sentence that the simulator’s port is taken', async () => {
    const first = startCli(['simulate'])
    const { listening } = JSON.parse(await first.line(line => line.startsWith('{'))) as { listening: string }
    const second = startCli(['simulate', '--port', new URL(listening).port])
    expect(await second.ended).toBe(1)
    expect(second.stderr).toEqual([expect.stringMatching(/another process listens there\. Change --host or/)])
    first.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })

  it('migrates, twice', async () => {
    const database = await createTestDatabase()
    try {
      const first = startCli(['migrate'], { DATABASE_URL: database.url })
      expect(await first.ended).toBe(0)
      expect(first.stdout.join()).toContain('0001_journal')
      const second = startCli(['migrate'], { DATABASE_URL: database.url })
      expect(await second.ended).toBe(0)
      expect(second.stdout.join()).toContain('up to date')
    } finally {
      await database.drop()
    }
  })
})

describeKafka('submit', () => {
  it('sends the good lines, and tells of the others', async () => {
    const topic = uniqueTopic('submit')
    const csv = [
      'requestId,deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
      'r1,meter-0001,a1BwAGVexmp,iot-a,iot-b,1984000000000001',
      'r2,bad name,a1BwAGVexmp,iot-a,iot-b,1984000000000001',
      'r3,meter-0003,a1BwAGVexmp,iot-a,iot-a,1984000000000001',
      'r4,meter-0004,a1BwAGVexmp,iot-a,iot-b,1984000000000001',
    ].join('\n')
    const cli = startCli(
      ['submit', '-'],
      {
        KAFKA_BROKERS: (testBrokers() ?? []).join(','),
        KAFKA_REQUESTS_TOPIC: topic,
        KAFKA_CREATE_TOPICS: 'true',
      },
      csv,
    )
    expect(await cli.ended).toBe(3)
    expect(cli.stdout[0]).toContain('2 requests for 2 devices')
    expect(cli.stderr.join('\n')).toContain('bad name')
    const sent = (await readTopic(topic)).map(
      ({ value }) => (JSON.parse(String(value)) as { requestId: string }).requestId,
    )
    expect(sent.sort()).toEqual(['r1', 'r4'])
  })
})
