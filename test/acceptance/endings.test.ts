import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCli } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { makeFifo } from '../support/make-fifo'
import { until } from '../support/until'

jest.setTimeout(60_000)

const credentials = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'move', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'move-secret' }
const dist = join(__dirname, '../../dist')
const noDatabase = 'postgres://u:p@127.0.0.1:1/x'
const row = 'meter-0001,a1BwAGVexmp,iot-a,iot-b,1984'
const csv = `deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid\n${row}\n`

const freePort = async (): Promise<number> => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  taken.close()
  return port
}

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
    ['SIGHUP', ['submit']],
    ['SIGINT', ['demo', '--file']],
    ['SIGTERM', ['demo', '--file']],
    ['SIGHUP', ['demo', '--file']],
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

describe('a command that works on the copy of its list', () => {
  /** Reads its list as the commands do, waits for its first signal as they do, and then does not get through. */
  const command = `
    const { openFleetFile } = require(${JSON.stringify(join(dist, 'files/fleet-file.js'))})
    const { firstSignal } = require(${JSON.stringify(join(dist, 'commands/process-end.js'))})
    openFleetFile('-').then(() => {
      firstSignal().then(() => console.log('first signal'))
      console.log('at work')
      setInterval(() => undefined, 1000)
    })`

  it.each([
    ['SIGINT', 'the second'],
    ['SIGTERM', 'the second'],
    ['SIGHUP', 'the first'],
  ] as const)('leaves no copy behind when it ends by %s, %s one', async (signal, which) => {
    const directory = await mkdtemp(join(tmpdir(), 'device-move-endings-'))
    const child = spawn(process.execPath, ['-e', command], {
      env: { PATH: process.env.PATH, TMPDIR: directory },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    try {
      child.stdin.end(csv)
      let out = ''
      child.stdout.on('data', (piece: Buffer) => {
        out += piece.toString()
      })
      await until(async () => out.includes('at work'))
      expect(await readdir(directory)).toHaveLength(1)
      // Signals within a second of the first one are its echo.
      await until(async () => {
        child.kill(signal)
        return child.signalCode !== null
      })
      expect(await ended).toEqual([null, signal])
      expect(out.includes('first signal')).toBe(which === 'the second')
      expect(await readdir(directory)).toEqual([])
    } finally {
      child.kill('SIGKILL')
      await rm(directory, { recursive: true })
    }
  })
})

describe('run, whose log nobody reads', () => {
  it('ends at SIGTERM all the same, though the pipe is full', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'device-move-endings-'))
    const fifo = join(directory, 'log')
    await makeFifo(fifo)
    // Open for reading too, so that opening it does not wait, and never read.
    const full = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    const fill = async (): Promise<void> => {
      for (;;) await full.write('x'.repeat(4_096))
    }
    await expect(fill()).rejects.toMatchObject({ code: 'EAGAIN' })
    const log = await open(fifo, 'w')
    const port = await freePort()
    const child = spawn(process.execPath, [join(dist, 'cli.js'), 'run'], {
      env: {
        PATH: process.env.PATH,
        ...credentials,
        KAFKA_BROKERS: '127.0.0.1:1',
        DATABASE_URL: noDatabase,
        HTTP_PORT: `${port}`,
      },
      stdio: ['ignore', 'ignore', log.fd],
    })
    try {
      const ended = once(child, 'exit')
      await until(() =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      )
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    } finally {
      child.kill('SIGKILL')
      await Promise.all([full.close(), log.close()])
      await rm(directory, { recursive: true })
    }
  })
})

describe('a command whose reader never reads', () => {
  it('stops its work at the first signal, and ends at the second, here simulate', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'device-move-endings-'))
    const fifo = join(directory, 'out')
    await makeFifo(fifo)
    // Open for reading too, so that opening it does not wait, and never read.
    const full = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    const fill = async (): Promise<void> => {
      for (;;) await full.write('x'.repeat(4_096))
    }
    await expect(fill()).rejects.toMatchObject({ code: 'EAGAIN' })
    const out = await open(fifo, 'w')
    const port = await freePort()
    const child = spawn(process.execPath, [join(dist, 'cli.js'), 'simulate', '--port', `${port}`], {
      env: { PATH: process.env.PATH, ...credentials },
      stdio: ['ignore', out.fd, 'ignore'],
    })
    try {
      const ended = once(child, 'exit')
      const isServing = () =>
        fetch(`http://127.0.0.1:${port}/_simulator/audit`).then(
          ({ ok }) => ok,
          () => false,
        )
      await until(isServing)
      child.kill('SIGTERM')
      await until(async () => !(await isServing()))
      expect([child.exitCode, child.signalCode]).toEqual([null, null])
      // Signals within a second of the first one are its echo.
      await until(async () => {
        child.kill('SIGTERM')
        return child.signalCode !== null || child.exitCode !== null
      })
      expect(await ended).toEqual([null, 'SIGTERM'])
    } finally {
      child.kill('SIGKILL')
      await Promise.all([full.close(), out.close()])
      await rm(directory, { recursive: true })
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
