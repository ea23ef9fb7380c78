import { Client } from 'pg'
import { type CliProcess, startCli, urlOf } from '../support/cli-process'
import { copyDatabase, createTestDatabase, type TestDatabase } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { createTopics, deleteTopics, describeKafka, withTestAdmin } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { until } from '../support/until'

jest.setTimeout(120_000)

const first = async (url: string, sql: string): Promise<Record<string, string>> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, string>>(sql)).rows[0] ?? {}
  } finally {
    await client.end()
  }
}
const conservation = (url: string) => first(url, 'select * from device_move.conservation')

describeKafka('a database restored from a backup', () => {
  let live: TestDatabase
  let deployment: Deployment
  const databases: TestDatabase[] = []
  const services: CliProcess[] = []

  beforeEach(async () => {
    live = await createTestDatabase()
    databases.push(live)
    deployment = await createDeployment(quickJobs, { DATABASE_URL: live.url })
  })
  afterEach(async () => {
    for (const service of services.splice(0)) {
      service.kill('SIGKILL')
      await service.ended
    }
    await deployment.stop()
    for (const database of databases.splice(0)) await database.drop()
  })

  const on = ({ url }: TestDatabase) => ({ ...deployment.environment, DATABASE_URL: url })
  const run = (database: TestDatabase): CliProcess => {
    const service = startCli(['run'], on(database))
    services.push(service)
    return service
  }
  const command = async (database: TestDatabase, ...args: string[]): Promise<[unknown, string]> => {
    const started = startCli(args, on(database))
    return [await started.ended, started.stdout.join('\n')]
  }
  const results = async (): Promise<string[]> =>
    (await readTopic(deployment.topics.results)).map(
      ({ value }) => (JSON.parse(String(value)) as { deviceName: string }).deviceName,
    )
  /** Waits until this number of outcomes of the database is published. */
  const published = ({ url }: TestDatabase, outcomes: number): Promise<void> =>
    until(async () => {
      const sql = `select (select count(*) from device_move.outcomes) as outcomes,
                          (select count(*) from device_move_journal.outbox) as waiting`
      const counts = await first(url, sql).catch(() => ({ outcomes: '0', waiting: '0' }))
      return Number(counts.outcomes) >= outcomes && counts.waiting === '0'
    })
  const readiness = async (
    service: CliProcess,
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const url = await urlOf(service)
    const answer = await fetch(`${url}/readyz`)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  it('is noticed before anything is done, and settled by accept-restore', async () => {
    const before = run(live)
    await deployment.submit(names('before', 20))
    await published(live, 20)
    before.kill('SIGTERM')
    expect(await before.ended).toBe(0)
    const backup = await copyDatabase(live)
    databases.push(backup)
    const after = run(live)
    await deployment.submit(names('after', 20))
    await published(live, 40)
    after.kill('SIGKILL')
    await after.ended
    const calls = await deployment.audit()

    const restored = run(backup)
    await restored.line(line => line.includes('"database-restored"'))
    await deployment.submit(names('later', 20))
    const { status, body } = await readiness(restored)
    expect(status).toBe(503)
    expect(body.because).toEqual([expect.stringContaining('accept-restore')])
    expect(await conservation(backup.url)).toMatchObject({ accepted: '20', moved: '20' })
    expect(await deployment.audit()).toEqual(calls)

    const [dry, what] = await command(backup, 'accept-restore', '--dry-run')
    expect([dry, what]).toEqual([0, expect.stringContaining('Nothing was changed')])
    expect(what).toContain('cannot be derived again')
    expect(what).toMatch(/are read again/)
    const [status2, said] = await command(backup, 'accept-restore')
    expect([status2, said]).toEqual([0, expect.stringContaining('Settled.')])
    // The service goes on by itself. What it had read after the backup it reads, sends and publishes again.
    await published(backup, 60)
    const found = await results()
    expect(found.filter(name => name.startsWith('before'))).toHaveLength(20)
    expect(found.filter(name => name.startsWith('after'))).toHaveLength(40)
    expect(found.filter(name => name.startsWith('later'))).toHaveLength(20)
    await until(async () => (await readiness(restored)).status === 200)
    expect(restored.stderr.filter(line => line.includes('"database-restored"'))).toHaveLength(1)
    const [, again] = await command(backup, 'accept-restore')
    expect(again).toContain('Nothing to settle')
  })

  it('is told from a topic made anew, of which accept-restore lets the partitions be read from the start', async () => {
    const { requests } = deployment.topics
    const before = run(live)
    // There are enough of them that the new log stays below the old positions, even if a record is produced twice.
    await deployment.submit(names('before', 400))
    await published(live, 400)
    before.kill('SIGTERM')
    await before.ended
    await deleteTopics([requests])
    await until(async () => !(await withTestAdmin(admin => admin.listTopics())).includes(requests))
    await createTopics([requests], 4)
    await deployment.submit(names('anew', 4))
    const service = run(live)
    await service.line(line => line.includes('the journal stands at offset'))
    const [status, said] = await command(live, 'accept-restore')
    expect([status, said]).toEqual([0, expect.stringContaining('lies above its end')])
    await published(live, 404)
    expect((await results()).filter(name => name.startsWith('anew')).sort()).toEqual(names('anew', 4))
  })
})
