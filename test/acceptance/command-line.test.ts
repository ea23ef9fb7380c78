import { startCli, startSimulator } from '../support/cli-process'
import { createTestDatabase } from '../support/database'

jest.setTimeout(180_000)

describe('the command line', () => {
  it.each([
    ['--help'],
    ['run', '--help'],
    ['demo', '--help'],
    ['move', '--help'],
    ['submit', '--help'],
    ['migrate', '--help'],
    ['simulate', '--help'],
  ])('explains %s %s', async (...args) => {
    const cli = startCli(args)
    expect(await cli.ended).toBe(0)
    expect(cli.stdout.join('\n')).toContain('Usage: device-move')
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

  it.each([[['frobnicate']], [['move']], [['run', '--frobnicate']], [['simulate', '--jobs', 'many']]])(
    'ends with 2 for %j',
    async args => {
      const cli = startCli(args)
      expect(await cli.ended).toBe(2)
      expect(cli.stderr.join('\n')).not.toBe('')
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
