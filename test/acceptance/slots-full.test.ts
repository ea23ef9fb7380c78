import { Client } from 'pg'
import { startCli, startSimulator } from '../support/cli-process'
import { createTestDatabase } from '../support/database'
import { names } from '../support/deployment'
import { csvOf, moveCredentials } from '../support/move-stage'

jest.setTimeout(120_000)

const code = 'iot.distribute.TooManyOpen'

describe('SLOTS_FULL_CODES', () => {
  it('names a code that puts a batch off and counts no refusal against it', async () => {
    const database = await createTestDatabase()
    // The account has one slot, and the service believes that it has ten.
    const limits = ['--jobs', '1', '--jobs-full-code', code]
    const quick = ['--init-ms', '0', '--base-ms', '1500', '--per-device-ms', '0']
    const simulator = await startSimulator([...limits, ...quick], moveCredentials)
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      const [header, ...rows] = csvOf(names('meter', 20)).split('\n')
      const list = [header, ...rows.map((row, n) => row.replace('iot-b', n % 2 ? 'iot-b' : 'iot-c'))]
      const cli = startCli(
        ['move', '-'],
        {
          ...moveCredentials,
          IOT_ENDPOINT: simulator.url,
          DATABASE_URL: database.url,
          BATCH_MAX_WAIT_MS: '200',
          SLOTS_FULL_CODES: `iot.distribute.Another,${code.toLowerCase()}`,
        },
        list.join('\n'),
      )
      expect(await cli.ended).toBe(0)
      const audit = await (await fetch(`${simulator.url}/_simulator/audit`)).json()
      expect(audit).toMatchObject({ refusals: { [code]: expect.any(Number) }, maxOpenJobs: 1 })
      const { rows: jobs } = await client.query(
        'select status, refusals, moved from device_move_journal.job order by job_id',
      )
      // A code that is in no table counts as a refusal of the batch.
      expect(jobs).toEqual([
        { status: 'settled', refusals: 0, moved: 10 },
        { status: 'settled', refusals: 0, moved: 10 },
      ])
      const { rows: attempts } = await client.query(
        'select outcome, attempt, count(*)::integer as n from device_move.outcomes group by 1, 2',
      )
      expect(attempts).toEqual([{ outcome: 'moved', attempt: 1, n: 20 }])
    } finally {
      simulator.process.kill('SIGKILL')
      await simulator.process.ended
      await client.end()
      await database.drop()
    }
  })
})
