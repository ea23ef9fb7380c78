import { Client } from 'pg'
import { runCli } from '../support/cli-process'
import { copyDatabase, createMigratedDatabase, type TestDatabase } from '../support/database'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { until } from '../support/until'

jest.setTimeout(180_000)

describeKafka('a restored database that has forgotten jobs', () => {
  let deployment: Deployment
  const databases: TestDatabase[] = []
  /** In use, in place of the deployment's own: that one has a connection, so it could not be copied. */
  let database: TestDatabase

  afterEach(async () => {
    await deployment.stop()
    for (const each of databases.splice(0)) await each.drop()
  })

  const using = async (made: Promise<TestDatabase>): Promise<void> => {
    database = await made
    databases.push(database)
  }
  const query = async <R extends object>(sql: string): Promise<R[]> => {
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      return (await client.query<R>(sql)).rows
    } finally {
      await client.end()
    }
  }
  /** Waits until so many moves have ended and are published. */
  const published = (moves: number): Promise<void> =>
    until(async () => {
      const [counts] = await query<{ ended: number; waiting: number }>(
        `select (moved + failed)::integer as ended, (select count(*)::integer from device_move_journal.outbox) as waiting
         from device_move.conservation`,
      )
      return counts?.ended === moves && counts.waiting === 0
    })
  const finalOutcomes = async (): Promise<Map<string, number>> => {
    const counts = new Map<string, number>()
    for (const { value } of await readTopic(deployment.topics.results)) {
      const { deviceName, final } = JSON.parse(String(value)) as { deviceName: string; final: boolean }
      if (final) counts.set(deviceName, (counts.get(deviceName) ?? 0) + 1)
    }
    return counts
  }

  it('reads their results before it goes on: no device is moved twice, and each request is settled', async () => {
    await using(createMigratedDatabase())
    deployment = await createDeployment(['--init-ms', '0', '--base-ms', '10000', '--per-device-ms', '0'])
    const run = () => deployment.run({ DATABASE_URL: database.url })
    const before = run()
    await deployment.submit(names('before', 300))
    await published(300)
    before.kill('SIGTERM')
    expect(await before.ended).toBe(0)
    const lost = database
    await using(copyDatabase(database))
    const copy = database

    database = lost
    const after = run()
    await deployment.submit(names('after', 200))
    await published(500)
    const created = () => after.stderr.filter(line => line.includes('"job-created"')).length
    const jobs = created()
    await deployment.submitTogether(names('running', 100))
    await until(async () => created() > jobs)
    after.kill('SIGKILL')
    await after.ended

    database = copy
    const environment = { ...deployment.environment, DATABASE_URL: database.url }
    const restored = run()
    await restored.line(line => line.includes('"database-restored"'))
    expect(await runCli(['accept-restore'], environment)).toMatchObject({ status: 0 })
    await deployment.submit(names('later', 50))
    await restored.line(line => line.includes('"forgotten-listed"'))
    const { because } = JSON.parse((await runCli(['status', '--json'], environment)).out) as {
      because: string[]
    }
    expect(because).toContainEqual(expect.stringMatching(/made since the backup/))

    await published(650)
    expect(await query('select accepted, moved, gap from device_move.conservation')).toEqual([
      { accepted: '650', moved: '650', gap: '0' },
    ])
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0 })
    const finals = await finalOutcomes()
    expect(finals.size).toBe(650)
    // Each outcome names the job that has moved the device, also where that job was forgotten.
    expect(
      await query(`select count(*)::integer as outcomes from device_move.outcomes where job_id is null`),
    ).toEqual([{ outcomes: 0 }])
  })
})
