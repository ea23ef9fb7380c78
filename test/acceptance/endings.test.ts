import { mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCli } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { makeFifo } from '../support/make-fifo'
import { until } from '../support/until'

jest.setTimeout(60_000)

const credentials = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'move', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'move-secret' }
const noDatabase = 'postgres://u:p@127.0.0.1:1/x'
const row = 'meter-0001,a1BwAGVexmp,iot-a,iot-b,1984'
const csv = `deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid\n${row}\n`

/** Failures that operators can cure are reported in one sentence without a stack, and the status is never 0. */
describe('a command that cannot do its work', () => {
  it.each([['replay', '1'], ['status'], ['migrate'], ['hold', '1'], ['resolve', '1', '--again']])(
    'says what to do about a database out of reach, here %s',
    async (...args) => {
      const cli = startCli(args, { DATABASE_URL: noDatabase })
      expect(await cli.ended).toBe(1)
      expect(cli.stderr).toEqual([expect.stringMatching(/ECONNREFUSED.*\. Check that PostgreSQL runs there/)])
    },
  )

  it('says what to do about a broker out of reach, here accept-restore', async () => {
    const cli = startCli(['accept-restore'], { DATABASE_URL: noDatabase, KAFKA_BROKERS: '127.0.0.1:1' })
    expect(await cli.ended).toBe(1)
    expect(cli.stderr).toEqual([expect.stringMatching(/ECONNREFUSED.*\. Check that a broker runs there/)])
  })

  describe('because there is no place for its files', () => {
    let directory: string
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'device-move-endings-'))
    })
    afterEach(() => rm(directory, { recursive: true }))

    it.each([['its own list'], ['/proc/none/x'], ['']])(
      'says so of the database of its own, with --data-dir %j',
      async given => {
        const file = join(directory, 'fleet.csv')
        await writeFile(file, csv)
        const cli = startCli(
          ['move', file, '--data-dir', given === 'its own list' ? file : given],
          credentials,
        )
        expect(await cli.ended).toBe(2)
        expect(cli.stderr).toEqual([expect.stringMatching(/^(PostgreSQL has no place|--data-dir is empty)/)])
      },
    )

    it.each([
      ['it is empty', async () => ''],
      ['it is a directory', async () => directory],
      ['ENOENT', async () => join(directory, 'none', 'out')],
      ['ENOTDIR', async () => `${await foreign()}/out`],
      ['ENAMETOOLONG', async () => join(directory, 'x'.repeat(300))],
      ['ELOOP', async () => link('loop', 'loop')],
      ['holds something else than results of this list', () => foreign()],
      ['holds something else than results of this list', async () => link('link', await foreign())],
    ])('says what is wrong with --out before it does anything: %s', async (why, path) => {
      const out = await path()
      const cli = startCli(['move', '-', '--out', out], { ...credentials, DATABASE_URL: noDatabase }, csv)
      expect(await cli.ended).toBe(2)
      expect(cli.stderr).toEqual([expect.stringContaining(`--out ${out}: `)])
      expect(cli.stderr[0]).toContain(why)
      expect(await readFile(join(directory, 'foreign'), 'utf8').catch(() => foreignText)).toBe(foreignText)
      expect((await readdir(directory)).filter(name => name.endsWith('.part'))).toEqual([])
    })
    const foreignText = '{"id":"1","source":{"topic":"file:another","partition":0,"offset":"2"}}\n'
    const foreign = async (): Promise<string> => {
      await writeFile(join(directory, 'foreign'), foreignText)
      return join(directory, 'foreign')
    }
    const link = async (name: string, target: string): Promise<string> => {
      await symlink(target, join(directory, name))
      return join(directory, name)
    }
  })
})

describe('a command that is interrupted while it reads its list', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'device-move-endings-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  it.each([
    ['SIGINT', ['submit']],
    ['SIGTERM', ['submit']],
    ['SIGINT', ['demo', '--file']],
    ['SIGTERM', ['demo', '--file']],
  ] as const)('leaves no copy of it behind when it ends by %s: %j', async (signal, command) => {
    const fifo = join(directory, 'fifo')
    await makeFifo(fifo)
    const cli = startCli([...command, fifo], { KAFKA_BROKERS: '127.0.0.1:1', TMPDIR: directory })
    const writer = await open(fifo, 'w')
    try {
      await writer.write(csv)
      await until(async () =>
        (await readdir(directory, { recursive: true })).some(name => /input$/.test(name)),
      )
      cli.kill(signal)
      expect(await cli.ended).toBe(signal)
      expect(await readdir(directory)).toEqual(['fifo'])
    } finally {
      await writer.close()
    }
  })
})

describe('a command whose standard output cannot be written', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
    expect(await startCli(['migrate'], { DATABASE_URL: database.url }).ended).toBe(0)
  })
  afterAll(() => database.drop())

  it('ends without a message once its reader has gone', async () => {
    const cli = startCli(['status', '--watch', '--json'], { DATABASE_URL: database.url, HTTP_PORT: '0' })
    await cli.line(line => line.startsWith('{'))
    cli.child.stdout?.destroy()
    expect(await cli.ended).toBe(1)
    expect(cli.stderr).toEqual([])
  })

  it('ends with 1 on a full disk', async () => {
    const full = await open('/dev/full', 'w')
    try {
      const cli = startCli(['status'], { DATABASE_URL: database.url, HTTP_PORT: '0' }, null, [], full.fd)
      expect(await cli.ended).toBe(1)
      expect(cli.stderr).toEqual([expect.stringMatching(/^Standard output cannot be written: ENOSPC/)])
    } finally {
      await full.close()
    }
  })
})
