import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { type CliProcess, startCli, startSimulator } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { names } from '../support/deployment'
import { csvOf, moveCredentials } from '../support/move-stage'

jest.setTimeout(180_000)

const devices = names('meter', 600)

interface Replay {
  readonly settled: boolean
  readonly files: number
  readonly lookedUp: number
  readonly differences: readonly { readonly deviceName: string }[]
}

describe('devices that no result file tells of', () => {
  let directory: string
  let simulator: CliProcess
  let endpoint: string
  let database: TestDatabase
  let client: Client

  const jobs = async (where: string): Promise<{ job_id: string; batch_id: string }[]> =>
    (await client.query(`select job_id, batch_id from device_move.jobs where ${where} order by batch_id`))
      .rows
  const truth = async (): Promise<Record<string, unknown>> =>
    (await (await fetch(`${endpoint}/_simulator/truth`)).json()) as Record<string, unknown>
  const replay = async (...args: string[]) => {
    const cli = startCli(['replay', ...args], { DATABASE_URL: database.url })
    return { status: await cli.ended, text: cli.stdout.join('\n'), problem: cli.stderr.join('\n') }
  }
  /** Hashes and counters that change with any change of the journal. */
  const fingerprint = async (): Promise<unknown> => {
    const { rows } = await client.query(
      `select (select md5(string_agg(o::text, '' order by o)) from device_move_journal.outcome o) as outcomes,
              (select md5(string_agg(j::text, '' order by j)) from device_move_journal.job j) as jobs,
              (select count(*) from device_move_journal.requeue) as requeued,
              (select last_id from device_move_journal.outbox_counter) as outbox`,
    )
    return rows[0]
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'device move '))
    database = await createTestDatabase()
    client = new Client(database.url)
    await client.connect()
    const faults = ['--missing-row-rate', '0.05', '--interrupted-rate', '0.4', '--seed', '11']
    const quick = ['--init-ms', '0', '--base-ms', '300', '--per-device-ms', '0']
    const started = await startSimulator([...quick, ...faults], moveCredentials)
    simulator = started.process
    endpoint = started.url
    const file = join(directory, 'fleet.csv')
    await writeFile(file, csvOf(devices))
    const move = startCli(['move', file, '--out', join(directory, 'out.ndjson')], {
      ...moveCredentials,
      IOT_ENDPOINT: endpoint,
      DATABASE_URL: database.url,
      BATCH_MAX_DEVICES: '100',
      BATCH_MAX_WAIT_MS: '100',
      RETRY_BACKOFF_MS: '200',
      RETRY_MAX_ATTEMPTS: '50',
      QUOTA_QPS: '0',
    })
    expect(await move.ended).toBe(0)
  })
  afterAll(async () => {
    simulator.kill('SIGKILL')
    await simulator.ended
    await client.end()
    await database.drop()
    await rm(directory, { recursive: true, force: true })
  })

  it('move once by the provider’s own count, whatever the files have left out', async () => {
    expect(await jobs("status = 'interrupted'")).not.toEqual([])
    const { rows } = await client.query(
      `select code, count(*)::integer as n from device_move.outcomes where message like '%looked up%' group by 1 order by 1`,
    )
    const found = new Map(rows.map(({ code, n }) => [code, n]))
    expect(found.get('200')).toBeGreaterThan(0)
    // No device was sent again that had moved, although no file had said so.
    expect(await truth()).toMatchObject({
      devices: devices.length,
      moves: devices.length,
      movedOnce: devices.length,
      movedTwice: 0,
      repeatedUntold: 0,
    })
    const audit = (await (await fetch(`${endpoint}/_simulator/audit`)).json()) as Record<string, unknown>
    expect(audit).toMatchObject({ breaches: 0 })
  })

  it('are derived by replay as they are stored, job for job, and nothing is changed', async () => {
    const before = await fingerprint()
    let lookedUp = 0
    for (const { job_id, batch_id } of (await jobs('settled_at is not null')).slice(0, 8)) {
      const { status, text } = await replay(job_id, '--json')
      const replayed = JSON.parse(text) as Replay
      expect([batch_id, status, replayed.differences]).toEqual([batch_id, 0, []])
      lookedUp += replayed.lookedUp
    }
    expect(lookedUp).toBeGreaterThan(0)
    expect(await fingerprint()).toEqual(before)
  })

  it('are shown by replay where their outcome would be another', async () => {
    const [job] = await jobs("status = 'completed' and moved > 50")
    if (job === undefined) throw new Error('no completed job')
    await client.query(
      `update device_move_journal.outcome set outcome = 'failed', code = 'unknown' where job_id = $1 and code = '200'
         and seq in (select seq from device_move_journal.outcome where job_id = $1 and code = '200' order by seq limit 3)`,
      [job.batch_id],
    )
    const short = await replay(job.batch_id, '--devices', '1')
    expect(short.status).toBe(3)
    expect(short.text).toContain('3 differ:')
    expect(short.text).toMatch(/meter-\S+ \(attempt \d+\): failed unknown → moved 200/)
    expect(short.text).toContain('and 2 more')
    const whole = await replay(job.job_id, '--json')
    expect(whole.status).toBe(3)
    expect((JSON.parse(whole.text) as Replay).differences).toHaveLength(3)
  })

  it('are shown by replay of a held job as what they would be, with the reason why it is held', async () => {
    const [job] = await jobs("status = 'completed' and moved > 50")
    await client.query(
      `update device_move_journal.job set status = 'completed', ended_as = null, settled_at = null, moved = null,
         failed = null, retried = null, held_at = now(), held_reason = 'its file is HTML' where job_id = $1`,
      [job?.batch_id],
    )
    const { text } = await replay(job?.batch_id ?? '')
    expect(text).toMatch(/^It is held and not settled: its file is HTML$/m)
    expect(text).toMatch(/^Derived is what it would be settled with if /m)
    expect(JSON.parse((await replay(job?.batch_id ?? '', '--json')).text)).toMatchObject({
      settled: false,
      held: 'its file is HTML',
    })
  })

  it('cannot be derived by replay without a job and something to derive them from', async () => {
    const none = await replay('NoSuchJob')
    expect([none.status, none.problem]).toEqual([1, expect.stringContaining('There is no job NoSuchJob')])
    const [job] = await jobs("status = 'completed'")
    await client.query('delete from device_move_journal.result_file where job_id = $1', [job?.batch_id])
    await client.query('delete from device_move_journal.looked_up where job_id = $1', [job?.batch_id])
    const empty = await replay(job?.job_id ?? '')
    expect([empty.status, empty.problem]).toEqual([1, expect.stringContaining('no result file')])
    expect((await replay()).status).toBe(2)
    expect((await replay('x', '--devices', 'many')).status).toBe(2)
    const unset = startCli(['replay', 'x'], {})
    expect(await unset.ended).toBe(2)
  })
})
