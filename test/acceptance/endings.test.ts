import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCli } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'

jest.setTimeout(60_000)

const credentials = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'move', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'move-secret' }
const noDatabase = 'postgres://u:p@127.0.0.1:1/x'
const row = 'meter-0001,a1BwAGVexmp,iot-a,iot-b,1984'
const csv = `deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid\n${row}\n`

/** What operators meet that is nobody's defect: one sentence, no stack, and never 0. */
describe('a command that cannot do its work', () => {
  it.each([['replay', '1'], ['status'], ['migrate'], ['hold', '1'], ['resolve', '1', '--again']])(
    'says what to do about a database out of reach: %s',
    async (...args) => {
      const cli = startCli(args, { DATABASE_URL: noDatabase })
      expect(await cli.ended).toBe(1)
      expect(cli.stderr).toEqual([expect.stringMatching(/ECONNREFUSED.*\. Check that PostgreSQL runs there/)])
    },
  )

  it('says what to do about a broker out of reach: accept-restore', async () => {
    const cli = startCli(['accept-restore'], { DATABASE_URL: noDatabase, KAFKA_BROKERS: '127.0.0.1:1' })
    expect(await cli.ended).toBe(1)
    expect(cli.stderr).toEqual([expect.stringMatching(/ECONNREFUSED.*\. Check that a broker runs there/)])
  })

  describe('for want of a place', () => {
    let directory: string
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'device-move-endings-'))
    })
    afterEach(() => rm(directory, { recursive: true }))

    it('says that a database of its own has none', async () => {
      const file = join(directory, 'fleet.csv')
      await writeFile(file, csv)
      const cli = startCli(['move', file, '--data-dir', file], credentials)
      expect(await cli.ended).toBe(1)
      expect(cli.stderr).toEqual([expect.stringMatching(/^PostgreSQL has no place for its data: ENOTDIR/)])
    })

    it('takes no directory and no device as a file of results', async () => {
      for (const out of [directory, '/dev/null']) {
        const cli = startCli(['move', '-', '--out', out], { ...credentials, DATABASE_URL: noDatabase }, csv)
        expect(await cli.ended).toBe(2)
        expect(cli.stderr).toEqual([expect.stringContaining(`--out ${out}: it is there and no file`)])
      }
      expect((await stat('/dev/null')).isCharacterDevice()).toBe(true)
    })
  })
})

describe('a command whose standard output cannot be written', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
    expect(await startCli(['migrate'], { DATABASE_URL: database.url }).ended).toBe(0)
  })
  afterAll(() => database.drop())

  it('ends, without a word, once its reader has gone', async () => {
    const cli = startCli(['status', '--watch', '--json'], { DATABASE_URL: database.url, HTTP_PORT: '0' })
    await cli.line(line => line.startsWith('{'))
    cli.child.stdout?.destroy()
    expect(await cli.ended).toBe(1)
    expect(cli.stderr).toEqual([])
  })

  it('does not end with 0 on a full disk', async () => {
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
