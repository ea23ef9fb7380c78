import { Client } from 'pg'
import { type CliProcess, startCli } from '../support/cli-process'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka, testBrokers } from '../support/kafka'
import { type RestartableKafka, startRestartableKafka } from '../support/restartable-kafka'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'
import { until } from '../support/until'

jest.setTimeout(120_000)

const quick = ['--init-ms', '0', '--base-ms', '200', '--per-device-ms', '0']

interface Readiness {
  readonly status: number
  readonly because: readonly string[]
}

const readiness = async (service: CliProcess): Promise<Readiness> => {
  const { url } = JSON.parse(await service.line(line => line.includes('"listening"'))) as { url: string }
  const answer = await fetch(`${url}/readyz`)
  return { status: answer.status, because: ((await answer.json()) as Readiness).because }
}
const untilReady = (service: CliProcess): Promise<void> =>
  until(async () => (await readiness(service)).status === 200)
const untilUnready = async (service: CliProcess, because: string): Promise<void> => {
  await until(async () => {
    const now = await readiness(service)
    return now.status === 503 && now.because.some(reason => reason.includes(because))
  })
}
const told = (service: CliProcess, text: string): string[] =>
  service.stderr.filter(line => line.includes('"warn"') && line.includes(text))

describeKafka('a service whose servers fail it', () => {
  let deployment: Deployment
  let kafka: RestartableKafka | null = null
  let link: TcpProxy | null = null
  const shared = testBrokers()?.join(',')

  afterEach(async () => {
    await deployment.stop()
    process.env.TEST_KAFKA_BROKERS = shared
    await kafka?.stop()
    kafka = null
    await link?.close()
    link = null
  })

  const sql = async (text: string): Promise<void> => {
    const client = new Client({ connectionString: deployment.databaseUrl })
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }

  it('waits for a full disk of the database, says so once a flow, and goes on', async () => {
    deployment = await createDeployment(quick)
    const service = deployment.run()
    await deployment.submit(names('before', 20))
    await deployment.settled(20)
    // As the server puts it when it cannot extend a file, SQLSTATE 53100.
    await sql(`
      create function device_move_journal.full_disk() returns trigger language plpgsql as $$
      begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
      create trigger full_disk before insert on device_move_journal.move
        execute function device_move_journal.full_disk()`)
    await deployment.submit(names('during', 20))
    await untilUnready(service, 'No space left on device')
    await service.line(line => line.includes('"retrying"'))
    expect(await deployment.conservation()).toMatchObject({ accepted: 20 })
    await sql('drop trigger full_disk on device_move_journal.move')
    expect(await deployment.settled(40)).toMatchObject({ moved: 40, gap: 0 })
    await untilReady(service)
    expect(told(service, 'No space left on device')).toHaveLength(1)
    await service.line(line => line.includes('"recovered"'))
  })

  it('says that the provider cannot be reached and since when, stays ready, and goes on when it is back', async () => {
    deployment = await createDeployment(['--init-ms', '0', '--base-ms', '20000', '--per-device-ms', '0'])
    link = await startTcpProxy(Number(new URL(deployment.simulatorUrl).port))
    const service = deployment.run({ IOT_ENDPOINT: `http://127.0.0.1:${link.port}` })
    await deployment.submitTogether(names('during', 20))
    // From now on its end is looked for, and nothing else is called.
    await service.line(one => one.includes('"job-created"'))
    link.refuse()
    link.cut()
    const line = JSON.parse(await service.line(one => one.includes('"provider-unreachable"')))
    expect(line).toMatchObject({ level: 'warn', operation: 'list', code: expect.stringMatching(/^E/) })
    const sentence = `the provider cannot be reached since ${line.since}: ${line.code} (list`
    expect(await readiness(service)).toEqual({ status: 200, because: [expect.stringContaining(sentence)] })
    const { url } = JSON.parse(await service.line(one => one.includes('"listening"'))) as { url: string }
    const status = startCli(['status'], { ...deployment.environment, HTTP_PORT: new URL(url).port })
    expect(await status.ended).toBe(0)
    expect(status.stdout.join('\n')).toContain(`Not moving:\n  - drive: ${sentence}`)
    link.heal()
    expect(await deployment.settled(20)).toMatchObject({ moved: 20, gap: 0 })
    await service.line(one => one.includes('"provider-answers"'))
    expect(await readiness(service)).toEqual({ status: 200, because: [] })
    expect(told(service, 'provider-unreachable')).toHaveLength(1)
    expect(told(service, '"list"').filter(one => one.includes('"retrying"'))).toHaveLength(1)
  })

  it('notices a silent broker, and goes on when it speaks again', async () => {
    kafka = await startRestartableKafka(0)
    process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
    deployment = await createDeployment(quick)
    const service = deployment.run()
    await deployment.submit(names('before', 20))
    await deployment.settled(20)
    await untilReady(service)
    kafka.freeze()
    await untilUnready(service, 'no sign of life from Kafka')
    kafka.thaw()
    await untilReady(service)
    await deployment.submit(names('after', 20))
    expect(await deployment.settled(40)).toMatchObject({ moved: 40, gap: 0 })
  })

  it('waits for a broker that is gone, and goes on when it is back', async () => {
    kafka = await startRestartableKafka(0)
    process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
    deployment = await createDeployment(quick)
    const service = deployment.run()
    await deployment.submit(names('before', 20))
    await deployment.settled(20)
    await untilReady(service)
    await kafka.halt('kill')
    await untilUnready(service, '')
    await kafka.start()
    await untilReady(service)
    await deployment.submit(names('after', 20))
    expect(await deployment.settled(40)).toMatchObject({ moved: 40, gap: 0 })
  })
})
