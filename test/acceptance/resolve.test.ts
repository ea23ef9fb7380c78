import { runCli } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { createDeployment, type Deployment, names } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { readTopic } from '../support/read-topic'
import { until } from '../support/until'

jest.setTimeout(120_000)

describe('device-move resolve', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
    expect(await runCli(['migrate'], { DATABASE_URL: database.url })).toMatchObject({ status: 0 })
  })
  afterAll(() => database.drop())

  const oneOf = 'Say what is to be done with the job: one of --adopt, --absent, --again, --fail and --resend.'
  it.each([
    [['x', '--again'], 2, '"x" is no job: give its batch_id, a whole number'],
    [['1'], 2, oneOf],
    [['1', '--again', '--fail'], 2, oneOf],
    [['1', '--adopt', 'two words'], 2, '--adopt: "two words" is no JobId'],
    [['77', '--absent'], 1, 'Job 77: there is none, see batch_id in device_move.jobs.'],
  ])('says what is wrong with %j', async (args, status, err) => {
    expect(await runCli(['resolve', ...args], { DATABASE_URL: database.url })).toEqual({
      status,
      out: '',
      err,
    })
  })

  it('says so when the database cannot be reached, without its password', async () => {
    const url = 'postgres://someone:hunter2@127.0.0.1:1/none'
    const { status, err } = await runCli(['resolve', '1', '--again'], { DATABASE_URL: url })
    expect(status).toBe(1)
    expect(err).toContain('ECONNREFUSED')
    expect(err).not.toContain('hunter2')
  })
})

describeKafka('device-move resolve beside a running service', () => {
  let deployment: Deployment
  afterEach(() => deployment.stop())

  const control = async (path: string, body: object): Promise<Record<string, unknown>> =>
    (
      await fetch(`${deployment.simulatorUrl}/_simulator/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      })
    ).json() as Promise<Record<string, unknown>>

  /** The JobIds in which the devices were moved, as the simulator knows them. */
  const jobsOfDevices = async (): Promise<string[]> => {
    const text = await (await fetch(`${deployment.simulatorUrl}/_simulator/truth?devices=1`)).text()
    const records = text.split('\n').filter(line => line !== '')
    return records.flatMap(line =>
      (JSON.parse(line) as { moves: { jobId: string }[] }).moves.map(({ jobId }) => jobId),
    )
  }

  it('has a held job tried again, and then adopts the job it is told', async () => {
    deployment = await createDeployment(['--init-ms', '50', '--base-ms', '200', '--per-device-ms', '0'])
    const devices = names('meter', 5)
    // The answer of a create is lost, and List says nothing.
    await control('fail-next', { operation: 'create', fault: { kind: 'lost-response' } })
    await control('fail-next', {
      operation: 'list',
      fault: { kind: 'business', code: 'iot.made.Up' },
      times: 10_000,
    })
    const service = deployment.run()
    await deployment.submitTogether(devices)
    const helds = () => service.stderr.filter(line => line.includes('"job-held"'))
    await until(async () => helds().length === 1)
    expect(await deployment.conservation()).toMatchObject({ held: 5, gap: 0 })
    const resolve = (...flags: string[]) =>
      runCli(['resolve', '1', ...flags], { DATABASE_URL: deployment.databaseUrl })

    expect(await resolve('--again')).toEqual({
      status: 0,
      out: 'Job 1 is released as unknown: the step it was held at is tried once more.',
      err: '',
    })
    await until(async () => helds().length === 2)
    const [own = 'none'] = await jobsOfDevices()
    expect(await resolve('--adopt', own)).toEqual({
      status: 0,
      out: `Job 1 goes on as ${own} of the provider: its end is awaited (5 devices).`,
      err: '',
    })
    expect(await deployment.settled(5)).toMatchObject({ moved: 5, held: 0, gap: 0 })
    expect(await deployment.truth()).toMatchObject({ movedTwice: 0 })
    expect(await resolve('--fail')).toEqual({
      status: 1,
      out: '',
      err: 'Job 1: it is settled: nothing is left to be resolved.',
    })
    await deployment.published()
    const results = (await readTopic(deployment.topics.results)).map(({ value }) => JSON.parse(String(value)))
    expect(results.map(({ outcome, jobId }) => [outcome, jobId])).toEqual(devices.map(() => ['moved', own]))
  })
})
