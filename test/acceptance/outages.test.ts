import { type CliProcess, startCli, urlOf } from '../support/cli-process'
import { query } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { readiness, untilReady, untilUnready } from '../support/readiness'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy'

jest.setTimeout(120_000)

const told = (service: CliProcess, text: string): string[] =>
  service.stderr.filter(line => line.includes('"warn"') && line.includes(text))

describeKafka('a service whose servers fail it', () => {
  let deployment: Deployment
  let link: TcpProxy | null = null

  afterEach(async () => {
    await deployment.stop()
    await link?.close()
    link = null
  })

  const sql = (text: string) => query(deployment.databaseUrl, text)

  it('waits while the disk of the database is full, says so once a flow, and goes on', async () => {
    deployment = await createDeployment(quickJobs)
    const service = deployment.run()
    await deployment.submit(names('before', 20))
    await deployment.settled(20)
    // The server words it so when it cannot extend a file (SQLSTATE 53100).
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

  it('says since when the provider has been out of reach, stays ready, and goes on when it is back', async () => {
    deployment = await createDeployment(['--init-ms', '0', '--base-ms', '20000', '--per-device-ms', '0'])
    link = await startTcpProxy(Number(new URL(deployment.simulatorUrl).port))
    const service = deployment.run({ IOT_ENDPOINT: `http://127.0.0.1:${link.port}` })
    await deployment.submitTogether(names('during', 20))
    // From now on List is the only call, because the service waits for the end of the job.
    await service.line(one => one.includes('"job-created"'))
    link.refuse()
    link.cut()
    const line = JSON.parse(await service.line(one => one.includes('"provider-unreachable"')))
    expect(line).toMatchObject({ level: 'warn', operation: 'list', code: expect.stringMatching(/^E/) })
    const sentence = `the provider cannot be reached since ${line.since}: ${line.code} (list`
    expect(await readiness(service)).toEqual({ status: 200, because: [expect.stringContaining(sentence)] })
    const url = await urlOf(service)
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
})
