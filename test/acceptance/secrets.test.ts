import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { type CliProcess, startCli, urlOf } from '../support/cli-process'
import { createTestDatabase } from '../support/database'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'

jest.setTimeout(180_000)

/** These texts occur nowhere unless they leak. */
const secrets = {
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'kS9-key-secret-of-this-suite',
  ALIBABA_CLOUD_SECURITY_TOKEN: 'CAIS-security-token-of/this+suite==',
  HTTP_TOKEN: 'http-token-of-this-suite-0123456789',
  KAFKA_SASL_PASSWORD: 'sasl-password-of-this-suite',
}
const databasePassword = 'database/password@of-this-suite'

const forbidden = [...Object.values(secrets), databasePassword].flatMap(secret => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
])
/** A signature in a signed URL or a signed call. */
const signed = /(Signature|OSSAccessKeyId)(=|%3D)(?!\*\*\*)/i

const expectNoSecret = (text: string): void => {
  expect(forbidden.filter(secret => text.includes(secret))).toEqual([])
  expect(signed.exec(text)?.[0]).toBeUndefined()
}
const said = ({ stdout, stderr }: CliProcess): string => [...stdout, ...stderr].join('\n')

/** A message that repeats secrets, as a provider or a proxy might send it. */
const talkative = [
  'The string to sign was POST&%2F&',
  secrets.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  secrets.ALIBABA_CLOUD_SECURITY_TOKEN,
  encodeURIComponent(secrets.ALIBABA_CLOUD_SECURITY_TOKEN),
  'see https://iotx-1.oss-cn-shanghai.aliyuncs.com/job1/7u?Expires=1&OSSAccessKeyId=STS.abc&Signature=Ab%2Bc%3D',
].join(' ')

describeKafka('secrets', () => {
  let deployment: Deployment
  let database: Client
  const role = `secrets_${randomBytes(6).toString('hex')}`
  const urlWith = (password: string): string => {
    const url = new URL(deployment.databaseUrl)
    url.username = role
    url.password = encodeURIComponent(password)
    return url.href
  }
  const { KAFKA_SASL_PASSWORD: _, ...used } = secrets
  const run = (more: Readonly<Record<string, string>> = {}): CliProcess =>
    deployment.run({ ...used, DATABASE_URL: urlWith(databasePassword), LOG_LEVEL: 'trace', ...more })
  const stopped = async (service: CliProcess): Promise<void> => {
    service.kill('SIGTERM')
    await service.ended
  }

  beforeAll(async () => {
    const faults = [
      ...['--access-key-secret', secrets.ALIBABA_CLOUD_ACCESS_KEY_SECRET],
      ...['--security-token', secrets.ALIBABA_CLOUD_SECURITY_TOKEN],
      ...['--init-ms', '0', '--base-ms', '200', '--per-device-ms', '0', '--interrupted-rate', '0.1'],
      ...['--throttle-rate', '0.05', '--server-error-rate', '0.05', '--lost-request-rate', '0.05'],
      ...['--file-error-rate', '0.2'],
    ]
    // The role of this suite makes the schema itself, and so owns it.
    deployment = await createDeployment(faults, {}, { makeDatabase: createTestDatabase })
    database = new Client({ connectionString: deployment.databaseUrl })
    await database.connect()
    await database.query(`create role ${role} login superuser password '${databasePassword}'`)
  })
  afterAll(async () => {
    await database.end()
    await deployment.stop()
    // The role owned the schema of the database that has been dropped.
    const server = new Client({
      connectionString: deployment.databaseUrl.replace(/\/[^/]*$/, '/postgres'),
    })
    await server.connect()
    await server.query(`drop role ${role}`)
    await server.end()
  })

  const failNext = (operation: string, fault: unknown, times: number): Promise<Response> =>
    fetch(`${deployment.simulatorUrl}/_simulator/fail-next`, {
      method: 'POST',
      body: JSON.stringify({ operation, fault, times }),
    })

  it('are in no log line, answer, row or record of a run through faults', async () => {
    const unheardOf = { kind: 'business', code: 'iot.unheard.Of', message: talkative }
    await failNext('create', unheardOf, 1)
    await failNext('list', unheardOf, 1)
    await failNext('detail', unheardOf, 1)
    await deployment.submit(names('meter', 300))
    await deployment.submit(['bad name'])
    const service = run({ BATCH_MAX_DEVICES: '50' })
    const url = await urlOf(service)
    const ask = async (path: string, init?: RequestInit): Promise<string> => {
      const response = await fetch(`${url}${path}`, init)
      return `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`
    }
    await deployment.settled(301)
    await deployment.published()
    const authorization = `Bearer ${secrets.HTTP_TOKEN}`
    const answers = await Promise.all([
      ...['/healthz', '/readyz', '/metrics', '/api/status', '/', '/nothing'].map(path => ask(path)),
      ask('/api/routes/1/hold', { method: 'POST', headers: { authorization: `${authorization}x` } }),
      ask('/api/routes/999/hold', { method: 'POST', headers: { authorization } }),
      ask('/api/routes/1/release', { method: 'POST', headers: { authorization } }),
    ])
    await stopped(service)
    const { rows: tables } = await database.query<{ name: string }>(
      `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
       where schemaname = 'device_move_journal'`,
    )
    const rows: string[] = []
    for (const { name } of tables)
      rows.push(...(await database.query(`select t::text as row from ${name} t`)).rows.map(({ row }) => row))
    const records = [
      ...(await readTopic(deployment.topics.results)),
      ...(await readTopic(deployment.topics.deadLetters)),
    ].map(({ key, value, headers }) => `${key} ${value} ${Object.values(headers).map(String)}`)

    expect(answers).toContainEqual(expect.stringContaining('bearer token'))
    // The provider's message is kept without the secrets. A later error of the same job replaces it in the journal.
    expect(`${rows.join('\n')}\n${said(service)}`).toContain('string to sign was')
    for (const text of [said(service), answers.join('\n'), rows.join('\n'), records.join('\n')])
      expectNoSecret(text)
  })

  it('are in no log line when the provider refuses the key', async () => {
    await deployment.submit(names('later', 1))
    const service = run({
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: `${secrets.ALIBABA_CLOUD_ACCESS_KEY_SECRET}-wrong`,
    })
    await service.line(line => line.includes('account-refused'))
    await stopped(service)
    expectNoSecret(said(service))
  })

  it.each([
    ['a wrong database password', () => ({ DATABASE_URL: urlWith(`${databasePassword}-wrong`) }), /password/],
    [
      'a database out of reach',
      () => ({ DATABASE_URL: `postgres://me:${encodeURIComponent(databasePassword)}@127.0.0.1:1/none` }),
      /waiting for the database/,
    ],
    ['a broker out of reach', () => ({ KAFKA_BROKERS: '127.0.0.1:1' }), /retrying/],
    [
      'a broker without SASL',
      () => ({
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: 'me',
        KAFKA_SASL_PASSWORD: secrets.KAFKA_SASL_PASSWORD,
      }),
      /retrying|SASL/,
    ],
  ])('are in no log line with %s', async (_name, more, sign) => {
    const service = run(more())
    await service.line(line => sign.test(line))
    await stopped(service)
    expectNoSecret(said(service))
  })

  const spoilt = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, `${value} spoilt`]))
  it.each([
    ['a bad configuration', ['run'], { ...spoilt, DATABASE_URL: `mysql://me:${databasePassword}@host/db` }],
    ['a bad database URL', ['run'], { DATABASE_URL: `postgres://me:${databasePassword}@[host/db` }],
    [
      'a database URL that is half encoded',
      ['migrate'],
      { DATABASE_URL: `postgres://me:%zz${databasePassword}@127.0.0.1:1/db` },
    ],
    ['help', ['--help'], secrets],
    ['help for run', ['run', '--help'], secrets],
    ['help for simulate', ['simulate', '--help'], secrets],
    ['an unknown option', ['run', `--token=${secrets.HTTP_TOKEN}`], secrets],
    [
      'an unknown file',
      ['submit', `/nowhere/${secrets.HTTP_TOKEN}`],
      { ...secrets, KAFKA_BROKERS: '127.0.0.1:1' },
    ],
  ])('are in no text of a command, here %s', async (_, args, environment) => {
    const command = startCli(args, environment)
    await command.ended
    expect(said(command).length).toBeGreaterThan(20)
    expectNoSecret(said(command))
  })

  it('are in no text of a crash', async () => {
    const crash = `process.on('SIGUSR2',()=>{throw%20Object.assign(new%20Error('crashed%20with%20'+process.env.HTTP_TOKEN),{input:process.env.HTTP_TOKEN})})`
    const service = startCli(['simulate'], {
      ...secrets,
      NODE_OPTIONS: `--import=data:text/javascript,${crash}`,
    })
    await service.line(line => line.startsWith('{"listening"'))
    service.kill('SIGUSR2')
    expect(await service.ended).toBe(1)
    expect(said(service)).toContain('crashed with ***')
    expectNoSecret(said(service))
  })
})
