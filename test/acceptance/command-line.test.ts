import { createProgram, endingAfter } from '../../src/commands/program'
import { startCli, startSimulator } from '../support/cli-process'
import { createTestDatabase } from '../support/database'

jest.setTimeout(180_000)

/** The command line without a process of its own, which takes a tenth of a second each. */
const runInProcess = async (args: readonly string[]) => {
  let [out, err] = ['', '']
  let status: number | null = null
  const program = createProgram(
    async ended => {
      status = ended
    },
    {
      out: text => {
        out += text
      },
      err: text => {
        err += text
      },
    },
  )
  await program.parseAsync([...args], { from: 'user' }).catch((error: unknown) => {
    const ending = endingAfter(error)
    status = ending.status
    err += ending.text ?? ''
  })
  return { status: status as number | null, out, err }
}

describe('the command line', () => {
  it('ends as a process with 0 after its help', async () => {
    const cli = startCli(['--help'])
    expect(await cli.ended).toBe(0)
    expect(cli.stdout.join('\n')).toContain('Usage: device-move')
  })

  it.each([
    ['run', '--help'],
    ['demo', '--help'],
    ['move', '--help'],
    ['submit', '--help'],
    ['migrate', '--help'],
    ['simulate', '--help'],
  ])('explains %s %s', async (...args) => {
    const { status, out } = await runInProcess(args)
    expect(status).toBe(0)
    expect(out).toContain('Usage: device-move')
  })

  it('lists every problem of the configuration and ends with 2', async () => {
    const cli = startCli(['run'], { QUOTA_JOBS: 'many', HTTP_PORT: '99999' })
    expect(await cli.ended).toBe(2)
    const text = cli.stderr.join('\n')
    for (const name of [
      'KAFKA_BROKERS',
      'DATABASE_URL',
      'ALIBABA_CLOUD_ACCESS_KEY_ID',
      'ALIBABA_CLOUD_ACCESS_KEY_SECRET',
      'QUOTA_JOBS',
      'HTTP_PORT',
    ])
      expect(text).toContain(name)
  })

  it('ends as a process with 2 for a command that does not exist', async () => {
    const cli = startCli(['frobnicate'])
    expect(await cli.ended).toBe(2)
    expect(cli.stderr.join('\n')).not.toBe('')
  })

  it.each([[['move']], [['run', '--frobnicate']], [['simulate', '--jobs', 'many']]])(
    'ends with 2 for %j',
    async args => {
      const { status, err } = await runInProcess(args)
      expect(status).toBe(2)
      expect(err).not.toBe('')
    },
  )

  it('says in one sentence that the simulator’s port is taken', async () => {
    const { process: first, url } = await startSimulator()
    const second = startCli(['simulate', '--port', new URL(url).port])
    expect(await second.ended).toBe(1)
    expect(second.stderr).toEqual([expect.stringMatching(/another process listens there\. Change --host or/)])
    first.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })

  it('migrates a database, and finds it up to date the second time', async () => {
    const database = await createTestDatabase()
    try {
      const first = startCli(['migrate'], { DATABASE_URL: database.url })
      expect(await first.ended).toBe(0)
      expect(first.stdout.join()).toContain('0001_journal')
      const second = startCli(['migrate'], { DATABASE_URL: database.url })
      expect(await second.ended).toBe(0)
      expect(second.stdout.join()).toContain('up to date')
    } finally {
      await database.drop()
    }
  })
})
