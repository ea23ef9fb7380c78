import { type CliProcess, startCli, urlOf } from '../support/cli-process'
import { createTestDatabase, query, type TestDatabase } from '../support/database'
import { createDeployment, type Deployment, quickJobs } from '../support/deployment'
import { describeKafka, uniqueTopic } from '../support/kafka'
import { until } from '../support/until'

jest.setTimeout(180_000)

interface Listen {
  readonly host?: string
  readonly port?: string
}

describeKafka('a service that cannot start as configured', () => {
  let deployment: Deployment
  let empty: TestDatabase

  beforeAll(async () => {
    deployment = await createDeployment(quickJobs)
    empty = await createTestDatabase()
  })
  afterAll(async () => {
    await deployment.stop()
    await empty.drop()
  })

  const readyz = async (service: CliProcess): Promise<string> => {
    const answer = await fetch(`${await urlOf(service)}/readyz`)
    return `${answer.status} ${await answer.text()}`
  }

  it('waits for a topic that is not there, and says which', async () => {
    const topic = uniqueTopic('nobody-made')
    const service = deployment.run({ KAFKA_REQUESTS_TOPIC: topic })
    await until(async () => (await readyz(service)).includes(topic))
    expect(await readyz(service)).toMatch(/^503 /)
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it('waits for a broker that cannot be reached', async () => {
    const service = deployment.run({ KAFKA_BROKERS: '127.0.0.1:1' })
    await until(async () => /^503 .*127\.0\.0\.1:1/.test(await readyz(service)))
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it('waits for a database that cannot be reached', async () => {
    const service = deployment.run({
      DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/x',
    })
    await service.line(text => text.includes('waiting for the database'))
    expect(await readyz(service)).toMatch(/^503 .*database/)
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(service.stderr.join('\n')).not.toContain('hunter2')
  })

  /** The line that says why the service ended. An expected failure is reported without a stack. */
  const whyEnded = (service: CliProcess): string => {
    const last = JSON.parse(service.stderr.at(-1) ?? '{}') as { msg?: string; reason?: string }
    expect(last.msg).toBe('cannot go on')
    expect(service.stderr.join('\n')).not.toContain('    at ')
    return last.reason ?? ''
  }

  it('ends at once for a wrong password, without repeating it', async () => {
    const url = new URL(deployment.databaseUrl)
    url.password = 'hunter2'
    const service = deployment.run({ DATABASE_URL: url.href })
    expect(await service.ended).toBe(1)
    expect(whyEnded(service)).toMatch(/password authentication failed.*\. Check the user and the password in/)
    expect(service.stderr.join('\n')).not.toContain('hunter2')
  })

  it('ends for a schema that nobody made, with --no-migrate', async () => {
    const service = startCli(['run', '--no-migrate'], { ...deployment.environment, DATABASE_URL: empty.url })
    expect(await service.ended).toBe(1)
    expect(whyEnded(service)).toMatch(/does not exist\. Run `device-move migrate`/)
  })

  it.each([
    ['a port that is taken', 1, { port: 'taken' }, /another process listens there\. Change HTTP_HOST/],
    ['an address of elsewhere', 2, { host: '192.0.2.1' }, /no address of this machine\. Change HTTP_HOST/],
    ['a host that is none', 2, { host: 'nowhere.invalid' }, /there is no such host\. Change HTTP_HOST/],
  ])('ends for %s', async (_what, status, { port, host = '127.0.0.1' }: Listen, why) => {
    const taken = new URL(deployment.simulatorUrl).port
    const service = deployment.run({
      HTTP_HOST: host,
      HTTP_PORT: port === 'taken' ? taken : '0',
    })
    expect(await service.ended).toBe(status)
    expect(whyEnded(service)).toMatch(why)
  })

  it('ends for a database that is newer than the code', async () => {
    const first = deployment.run({ DATABASE_URL: empty.url })
    await first.line(text => text.includes('"migrated"'))
    first.kill('SIGTERM')
    await first.ended
    await query(
      empty.url,
      `insert into device_move_journal.migration (name, run_on, requires) values ('9999_future', now(), '9998_before')`,
    )
    const service = deployment.run({ DATABASE_URL: empty.url })
    expect(await service.ended).toBe(1)
    expect(whyEnded(service)).toMatch(
      /the database is newer than this release: 9999_future needs a release that knows 9998_before\. Run the/,
    )
  })
})
