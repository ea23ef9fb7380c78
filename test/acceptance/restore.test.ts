import { Client } from 'pg'
import { type CliProcess, startCli, urlOf } from '../support/cli-process'
import { copyDatabase, createTestDatabase, replaceDatabase, type TestDatabase } from '../support/database'
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

  it('is noticed by a running service although nothing was published from it since, and stays noticed', async () => {
    // Nothing is claimed, so what is taken in after the copy leaves its trace in the positions only.
    const idle = { ...deployment.environment, DATABASE_URL: live.url, BATCH_MAX_WAIT_MS: '3600000' }
    const before = run(live)
    await deployment.submit(names('before', 60))
    await published(live, 60)
    before.kill('SIGTERM')
    await before.ended
    const backup = await copyDatabase(live)
    databases.push(backup)
    const running = startCli(['run'], idle)
    services.push(running)
    await deployment.submit(names('lost', 40))
    await until(async () => (await conservation(live.url)).pending === '40')
    await replaceDatabase(live, backup)
    await deployment.submit(names('later', 20))
    const noticed = await running.line(line => line.includes('"database-restored"'))
    expect(noticed).toContain('accept-restore')
    await until(async () => (await readiness(running)).status === 503)
    expect(await conservation(live.url)).toMatchObject({ accepted: '60', moved: '60', gap: '0' })
    running.kill('SIGTERM')
    expect(await running.ended).toBe(0)

    const again = run(live)
    await again.line(line => line.includes('"database-restored"'))
    expect(await conservation(live.url)).toMatchObject({ accepted: '60' })
    const calls = await deployment.audit()
    const [status, said] = await command(live, 'accept-restore')
    expect([status, said]).toEqual([0, expect.stringMatching(/40 records|are read again/)])
    expect(await deployment.audit()).toEqual(calls)
    await published(live, 120)
    expect(await conservation(live.url)).toMatchObject({ accepted: '120', moved: '120', gap: '0' })
    expect((await results()).sort()).toEqual(
      [...names('before', 60), ...names('later', 20), ...names('lost', 40)].sort(),
    )
  })
})

describeKafka('a requests topic that was made anew', () => {
  let deployment: Deployment

  beforeEach(async () => {
    deployment = await createDeployment(quickJobs)
  })
  afterEach(() => deployment.stop())

  const makeAnew = async (): Promise<void> => {
    const { requests } = deployment.topics
    await deleteTopics([requests])
    await until(async () => !(await withTestAdmin(admin => admin.listTopics())).includes(requests))
    await createTopics([requests], 4)
  }
  const stopped = async (service: CliProcess): Promise<void> => {
    service.kill('SIGTERM')
    await service.ended
  }
  /** The first requests are done, and the service is stopped. */
  const doneBefore = async (count: number): Promise<void> => {
    const service = deployment.run()
    await deployment.submit(names('before', count))
    await deployment.settled(count)
    await deployment.published()
    await stopped(service)
  }
  const accept = async (): Promise<string> => {
    const command = startCli(['accept-restore'], deployment.environment)
    expect(await command.ended).toBe(0)
    return command.stdout.join('\n')
  }
  const outcomes = async (prefix: string) =>
    (await readTopic(deployment.topics.results))
      .map(
        ({ value }) =>
          JSON.parse(String(value)) as {
            readonly id: string
            readonly requestId: string
            readonly deviceName: string
            readonly source: { readonly topic: string }
          },
      )
      .filter(({ deviceName }) => deviceName.startsWith(prefix))
  const isStopped = (line: string): boolean => line.includes('is not read') && line.includes('accept-restore')

  it('stays stopped over growth and restarts, and is read whole under ids of its own once that is accepted', async () => {
    const { requests } = deployment.topics
    await doneBefore(400)
    await makeAnew()
    await deployment.submit(names('anew', 100))
    const first = deployment.run()
    await first.line(isStopped)
    // The partitions grow past the positions of before.
    await deployment.submit(names('more', 500), { requestId: undefined })
    await stopped(first)
    const second = deployment.run()
    await second.line(isStopped)
    expect(await deployment.conservation()).toMatchObject({ accepted: 400 })
    expect(await accept()).toContain('holds another log')
    expect(await deployment.settled(1_000)).toMatchObject({ accepted: 1_000, moved: 1_000, gap: 0 })
    await deployment.published()
    const [anew, more] = [await outcomes('anew'), await outcomes('more')]
    expect([anew.length, more.length]).toEqual([100, 500])
    for (const { id, source } of [...anew, ...more]) {
      expect(id.startsWith(`${requests}@2/`)).toBe(true)
      expect(source.topic).toBe(requests)
    }
    expect(more.every(({ requestId }) => requestId.startsWith(`${requests}@2/`))).toBe(true)
    const client = new Client({ connectionString: deployment.databaseUrl })
    await client.connect()
    const { rows } = await client.query<{ id: string }>(
      'select outcome_id as id from device_move.outcomes order by 1',
    )
    await client.end()
    const published = (await readTopic(deployment.topics.results)).map(
      ({ value }) => (JSON.parse(String(value)) as { id: string }).id,
    )
    expect(rows.map(({ id }) => id).sort()).toEqual(published.sort())
    expect(await accept()).toContain('Nothing to settle')
  })

  it('is recognised by its records when it has grown past the positions of before', async () => {
    await doneBefore(40)
    await makeAnew()
    await deployment.submit(names('anew', 400))
    const service = deployment.run()
    await service.line(isStopped)
    expect(await deployment.conservation()).toMatchObject({ accepted: 40 })
    await accept()
    expect(await deployment.settled(440)).toMatchObject({ accepted: 440, moved: 440, gap: 0 })
  })
})
