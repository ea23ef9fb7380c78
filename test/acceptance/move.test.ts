import { constants, lstat, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { type CliProcess, startCli, until } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { names } from '../support/deployment'
import { makeFifo } from '../support/make-fifo'

jest.setTimeout(180_000)

const credentials = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'move', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'move-secret' }

const csvOf = (devices: readonly string[]): string =>
  [
    'deviceName,productKey,sourceInstanceId,targetInstanceId,targetUid',
    ...devices.map(name => `${name},a1BwAGVexmp,iot-a,iot-b,1984000000000001`),
  ].join('\n')

interface Line {
  readonly id: string
  readonly deviceName: string
  readonly outcome: string
  readonly final: boolean
}

describe('move FILE', () => {
  let directory: string
  let simulator: CliProcess
  let endpoint: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'device move '))
    simulator = startCli(
      ['simulate', '--init-ms', '0', '--base-ms', '1200', '--per-device-ms', '0'],
      credentials,
    )
    endpoint = (JSON.parse(await simulator.line(line => line.startsWith('{'))) as { listening: string })
      .listening
  })
  afterEach(async () => {
    simulator.kill('SIGKILL')
    await simulator.ended
    await rm(directory, { recursive: true, force: true })
  })

  const environmentOn = (database: TestDatabase) => ({
    ...credentials,
    IOT_ENDPOINT: endpoint,
    DATABASE_URL: database.url,
    BATCH_MAX_WAIT_MS: '200',
  })
  const truth = async (): Promise<unknown> => (await fetch(`${endpoint}/_simulator/truth`)).json()
  const resultsIn = async (path: string): Promise<Line[]> =>
    (await readFile(path, 'utf8'))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Line)

  it('goes on after Ctrl-C and after kill -9: nothing twice, and a whole file at the end', async () => {
    const database = await createTestDatabase()
    try {
      const [file, out] = [join(directory, 'fleet.csv'), join(directory, 'results.ndjson')]
      await writeFile(file, csvOf(names('meter', 3_000)))
      const environment = {
        ...environmentOn(database),
        BATCH_MAX_DEVICES: '300',
        LOG_LEVEL: 'debug',
      }
      const move = () => startCli(['move', file, '--out', out], environment)

      const first = move()
      await first.line(line => line.includes('"job-settled"'))
      first.kill('SIGINT')
      expect(await first.ended).toBe(130)
      const partial = await resultsIn(out)
      expect(partial.length).toBeGreaterThan(0)
      expect(partial.length).toBeLessThan(3_000)

      const second = move()
      await second.line(line => line.includes('"job-settled"'))
      second.kill('SIGKILL')
      await second.ended

      const third = move()
      expect(await third.ended).toBe(0)
      const lines = await resultsIn(out)
      expect(lines).toHaveLength(3_000)
      expect(new Set(lines.map(({ deviceName }) => deviceName)).size).toBe(3_000)
      expect(lines.every(({ outcome, final }) => outcome === 'moved' && final)).toBe(true)
      expect(await truth()).toMatchObject({ moves: 3_000, movedTwice: 0 })

      // What the first two starts settled is in `moved`, what they called is not in `calls`.
      const summary = third.stderr.join('\n')
      expect(summary).toMatch(/^ {2}moved +3,000$/m)
      expect(summary).toMatch(/^ {2}calls, this start +\d/m)
      const figure = (label: string): number =>
        Number(new RegExp(`^ {2}${label}, this start +([\\d.]+)$`, 'm').exec(summary)?.[1])
      expect(figure('devices per call') * figure('calls')).toBeLessThan(2_900)

      const again = move()
      expect(await again.ended).toBe(0)
      expect(again.stderr.join('\n')).toMatch(/^ {2}jobs settled, this start +0$/m)
      expect(await truth()).toMatchObject({ moves: 3_000, movedTwice: 0 })
    } finally {
      await database.drop()
    }
  })

  it('holds each final result once, with Ctrl-C at any moment and started again', async () => {
    const database = await createTestDatabase()
    try {
      const [file, out] = [join(directory, 'fleet.csv'), join(directory, 'results.ndjson')]
      const bad = ['bad name', 'bad/name', 'x'].map(
        name => `${name},a1BwAGVexmp,iot-a,iot-b,1984000000000001`,
      )
      await writeFile(file, [csvOf(names('meter', 3_000)), ...bad].join('\n'))
      const environment = {
        ...environmentOn(database),
        BATCH_MAX_DEVICES: '300',
        LOG_LEVEL: 'debug',
      }
      const moments = ['"migrated"', '"lease-held"', '"batch-claimed"', '"job-created"', '"job-settled"']
      let printed: readonly string[] = []
      for (const moment of moments) {
        // Every other one would print its results, which it does only when it is through.
        const toFile = moments.indexOf(moment) % 2 === 0
        const cli = startCli(['move', file, ...(toFile ? ['--out', out] : [])], environment)
        await cli.line(line => line.includes(moment))
        cli.kill('SIGINT')
        expect(await cli.ended).toBe(130)
        printed = [...printed, ...cli.stdout]
        if (!toFile) continue
        const ids = (await resultsIn(out)).map(({ id, final }) => (final ? id : 'not final'))
        expect(ids).not.toContain('not final')
        expect(new Set(ids).size).toBe(ids.length)
      }
      expect(printed).toEqual([])

      const last = startCli(['move', file, '--out', out], environment)
      expect(await last.ended).toBe(3)
      const lines = await resultsIn(out)
      expect(new Set(lines.map(({ id }) => id)).size).toBe(3_003)
      expect(lines).toHaveLength(3_003)
      expect(lines.filter(({ outcome }) => outcome === 'moved')).toHaveLength(3_000)
      expect(await truth()).toMatchObject({ moves: 3_000, movedTwice: 0 })

      const printing = startCli(['move', file], environment)
      expect(await printing.ended).toBe(3)
      expect([...printing.stdout].sort()).toEqual(lines.map(line => JSON.stringify(line)).sort())
    } finally {
      await database.drop()
    }
  })

  it('ends with 3 for what is held of its own list, not of another', async () => {
    const database = await createTestDatabase()
    try {
      const environment = environmentOn(database)
      const move = (csv: string) => startCli(['move', '-'], environment, csv).ended
      expect(await move(csvOf(names('first', 5)))).toBe(0)
      const hold = startCli(['hold', '1'], environment)
      expect(await hold.ended).toBe(0)
      expect(await move(csvOf(names('held', 5)))).toBe(3)
      expect(await move(csvOf(names('free', 5)).replaceAll('iot-b', 'iot-c'))).toBe(0)
    } finally {
      await database.drop()
    }
  })

  it('ends at Ctrl-C while it waits for its database', async () => {
    const cli = startCli(
      ['move', '-'],
      {
        ...credentials,
        IOT_ENDPOINT: endpoint,
        DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x',
        LOG_LEVEL: 'warn',
      },
      csvOf(['meter-1']),
    )
    await cli.line(line => line.includes('waiting for the database'))
    cli.kill('SIGINT')
    expect(await cli.ended).toBe(130)
    expect(cli.stdout).toEqual([])
  })

  it('says in a sentence that its database refuses it', async () => {
    const database = await createTestDatabase()
    const url = new URL(database.url)
    url.password = 'sesame'
    const cli = startCli(
      ['move', '-'],
      { ...credentials, IOT_ENDPOINT: endpoint, DATABASE_URL: url.href },
      csvOf(['meter-1']),
    )
    expect(await cli.ended).toBe(1)
    expect(cli.stderr.join('\n')).toMatch(/password authentication failed.*Check the user/)
    expect(cli.stderr.join('\n')).not.toMatch(/^ {4}at |sesame/m)
    await database.drop()
  })

  it('ends, saying why, when its service cannot go on', async () => {
    const database = await createTestDatabase()
    expect(await startCli(['migrate'], { DATABASE_URL: database.url }).ended).toBe(0)
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      // As the server puts it where somebody may do all but this.
      await client.query(`
        create function device_move_journal.refused() returns trigger language plpgsql as $$
        begin raise exception 'permission denied for table lease' using errcode = '42501'; end $$;
        create trigger refused before update on device_move_journal.lease
          execute function device_move_journal.refused()`)
      const cli = startCli(
        ['move', '-'],
        { ...credentials, IOT_ENDPOINT: endpoint, DATABASE_URL: database.url },
        csvOf(['meter-1']),
      )
      expect(await cli.ended).toBe(1)
      expect(cli.stderr.at(-1)).toMatch(/permission denied for table lease\. Let this user/)
    } finally {
      await client.end()
      await database.drop()
    }
  })

  it('needs no database of one’s own, writes to standard output, and ends with 3 when something failed', async () => {
    const csv = `${csvOf(names('meter', 20))}\nbad name,a1BwAGVexmp,iot-a,iot-b,1984000000000001\n`
    const environment = { ...credentials, IOT_ENDPOINT: endpoint, BATCH_MAX_WAIT_MS: '200' }
    const cli = startCli(['move', '-', '--data-dir', join(directory, 'data')], environment, csv)
    expect(await cli.ended).toBe(3)
    const lines = cli.stdout.map(line => JSON.parse(line) as Line)
    expect(lines).toHaveLength(21)
    expect(lines.filter(({ outcome }) => outcome === 'moved')).toHaveLength(20)
    expect(lines.filter(({ outcome }) => outcome === 'rejected')).toHaveLength(1)
  })

  it('replaces a file behind a link as a whole, and writes to what is no file', async () => {
    const database = await createTestDatabase()
    const [real, link, fifo] = [join(directory, 'real'), join(directory, 'link'), join(directory, 'fifo')]
    try {
      await symlink('real', link)
      await makeFifo(fifo)
      const reader = readFile(fifo, 'utf8')
      const environment = environmentOn(database)
      const move = async (out: string, csv = csvOf(names('meter', 3)), ...more: string[]) => {
        const cli = startCli(['move', '-', '--out', out, ...more], environment, csv)
        return { status: await cli.ended, stdout: cli.stdout, stderr: cli.stderr.join('\n') }
      }
      // First the link's target is not there yet, then it is.
      for (const target of [link, link, real]) expect(await move(target)).toMatchObject({ status: 0 })
      expect((await lstat(link)).isSymbolicLink()).toBe(true)
      expect(await resultsIn(real)).toHaveLength(3)

      expect(await move(fifo)).toMatchObject({ status: 0 })
      expect(await reader).toBe(await readFile(real, 'utf8'))
      expect((await lstat(fifo)).isFIFO()).toBe(true)

      expect((await move('/dev/stdout')).stdout).toHaveLength(3)
      expect(await move('/dev/null')).toMatchObject({ status: 0 })
      expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
      expect(await move('/dev/full')).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/^The results cannot be written: ENOSPC/m),
      })
      expect((await lstat('/dev/full')).isCharacterDevice()).toBe(true)

      const other = csvOf(names('other', 2))
      expect(await move(link, other)).toMatchObject({ status: 2 })
      expect(await resultsIn(real)).toHaveLength(3)
      expect(await move(link, other, '--force')).toMatchObject({ status: 0 })
      expect(await resultsIn(real)).toHaveLength(2)
    } finally {
      await database.drop()
    }
  })

  it('waits for whoever reads the FIFO that it writes to, or for Ctrl-C', async () => {
    const database = await createTestDatabase()
    const fifo = join(directory, 'fifo')
    try {
      await makeFifo(fifo)
      const move = () =>
        startCli(['move', '-', '--out', fifo], environmentOn(database), csvOf(names('meter', 3)))
      const first = move()
      await first.line(line => line.includes('waiting until somebody reads'))
      first.kill('SIGTERM')
      expect(await first.ended).toBe(130)
      const second = move()
      await second.line(line => line.includes('waiting until somebody reads'))
      expect(await resultsIn(fifo)).toHaveLength(3)
      expect(await second.ended).toBe(0)
    } finally {
      await database.drop()
    }
  })

  it('prints all of its results, be its reader slower than everything else it has to do', async () => {
    const database = await createTestDatabase()
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const [file, out, fifo] = ['fleet.csv', 'out', 'fifo'].map(name => join(directory, name)) as [
      ...[string, string, string],
    ]
    await writeFile(file, csvOf(names('meter', 1_000)))
    await makeFifo(fifo)
    const reader = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = await open(fifo, 'w')
    try {
      const environment = environmentOn(database)
      expect(await startCli(['move', file, '--out', out], environment).ended).toBe(0)
      const whole = await readFile(out, 'utf8')
      const cli = startCli(['move', file], environment, null, [], writer.fd)
      await writer.close()
      let printed = ''
      const read = async (most: number): Promise<boolean> => {
        const buffer = Buffer.alloc(most)
        const { bytesRead } = await reader.read(buffer).catch((error: NodeJS.ErrnoException) => {
          // Nothing there yet.
          if (error.code === 'EAGAIN') return { bytesRead: 0 }
          throw error
        })
        printed += buffer.toString('utf8', 0, bytesRead)
        return bytesRead > 0
      }
      // More at once than pipe and process keep would leave nothing to be lost, less would never be over.
      const said = cli.line(line => line.includes('1000 final results of this list'))
      let isSaid = false
      said.finally(() => {
        isSaid = true
      })
      await until(async () => {
        await read(whole.length - printed.length > 100_000 ? 65_536 : 512)
        return isSaid
      }, 5)
      await said
      // It has said everything, and let go of its database, a look ago: nothing but its end is left.
      let looks = 0
      await until(async () => {
        const { rows } = await client.query(
          `select from pg_stat_activity where datname = current_database() and application_name like 'device-move%'`,
        )
        if (rows.length === 0) looks += 1
        return looks === 2
      })
      const hasEnded = () => cli.child.exitCode !== null
      await until(async () => {
        const wasOver = hasEnded()
        while (await read(65_536));
        return wasOver
      }, 5)
      expect(printed.length).toBe(whole.length)
      expect(printed).toBe(whole)
      expect(await cli.ended).toBe(0)
    } finally {
      await reader.close()
      await client.end()
      await database.drop()
    }
  })

  it('ends at the first signal once it is done and nobody reads its results', async () => {
    const database = await createTestDatabase()
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const fifo = join(directory, 'fifo')
    await makeFifo(fifo)
    const reader = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      // The pipe is full before the command writes to it.
      const isFull = () =>
        writer.write(Buffer.alloc(4_096)).then(
          () => false,
          (error: NodeJS.ErrnoException) => error.code === 'EAGAIN',
        )
      while (!(await isFull()));
      const csv = csvOf(names('meter', 3))
      const cli = startCli(['move', '-'], environmentOn(database), csv, [], writer.fd)
      await cli.line(line => line.includes('3 final results of this list'))
      // The command lets go of its database just before its end, so two looks later only its output is left.
      let looks = 0
      await until(async () => {
        const { rows } = await client.query(
          `select from pg_stat_activity where datname = current_database() and application_name like 'device-move%'`,
        )
        if (rows.length === 0) looks += 1
        return looks === 2
      })
      expect(cli.child.exitCode).toBeNull()
      cli.kill('SIGTERM')
      expect(await cli.ended).toBe('SIGTERM')
    } finally {
      await writer.close()
      await reader.close()
      await client.end()
      await database.drop()
    }
  })

  it('says what to do about what is held in a database of its own, and goes on after that', async () => {
    const file = join(directory, 'fleet.csv')
    const [dataDir, out] = [join(directory, 'data'), join(directory, 'results.ndjson')]
    await writeFile(file, csvOf(names('meter', 5)))
    const environment = {
      ...credentials,
      IOT_ENDPOINT: endpoint,
      BATCH_MAX_WAIT_MS: '200',
      BATCH_MAX_DEVICES: '3',
      CREATE_SETTLE_MS: '2000',
    }
    // A create whose answer is lost, and a List that is refused: its job is held, and its route waits for it.
    const failNext = (body: object) =>
      fetch(`${endpoint}/_simulator/fail-next`, { method: 'POST', body: JSON.stringify(body) })
    await failNext({ operation: 'create', fault: { kind: 'lost-response' } })
    await failNext({ operation: 'list', fault: { kind: 'business', code: 'iot.made.Up' }, times: 1_000 })
    const move = async () => {
      const cli = startCli(['move', file, '--out', out, '--data-dir', dataDir], environment)
      return { status: await cli.ended, stderr: cli.stderr.join('\n') }
    }
    const run = async (...args: string[]) => {
      const cli = startCli(args, { HTTP_PORT: '0' })
      return { status: await cli.ended, stdout: cli.stdout.join('\n'), stderr: cli.stderr.join('\n') }
    }
    const first = await move()
    expect(first.status).toBe(3)
    expect(first.stderr).toMatch(/^ {2}unfinished +5$/m)
    expect(first.stderr).toMatch(/^ {2}batch 1 of route 1 \(3 moves\) is held: its create had no answer/m)
    expect(first.stderr).toContain(`device-move resolve 1 --data-dir '${dataDir}' --fail `)

    const status = await run('status', '--data-dir', dataDir)
    expect(status.stdout).toContain('batch 1 of route 1 (3 moves) is held')
    expect(await run('hold', '1', '--data-dir', dataDir)).toMatchObject({ status: 0 })
    expect(await run('release', '1', '--data-dir', dataDir)).toMatchObject({ status: 0 })
    expect(await run('replay', '1', '--data-dir', dataDir)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^Job 1 has no result file/),
    })
    const none = join(directory, 'none')
    expect(await run('resolve', '1', '--fail', '--data-dir', none)).toMatchObject({
      status: 2,
      stderr: `--data-dir ${none}: no run of move is kept there`,
    })
    expect(await run('resolve', '1', '--fail', '--data-dir', dataDir)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('The 3 devices of job 1 have failed for good'),
    })

    const second = await move()
    expect(second.status).toBe(3)
    expect(second.stderr).not.toContain('unfinished')
    expect((await resultsIn(out)).map(({ outcome }) => outcome).sort()).toEqual([
      ...['failed', 'failed', 'failed'],
      ...['moved', 'moved'],
    ])
  })

  it('says since when the provider cannot be reached, and when it answers again', async () => {
    const database = await createTestDatabase()
    try {
      simulator.kill('SIGKILL')
      await simulator.ended
      const cli = startCli(
        ['move', '-', '--out', '/dev/null'],
        environmentOn(database),
        csvOf(names('meter', 2)),
      )
      await cli.line(line => line.includes(`the provider at ${endpoint} cannot be reached since 20`))
      // Every device is in one of the counts.
      await cli.line(line => line.includes('0/2 done · 0 moved · 0 failed · 0 rejected · 2 in flight'))
      simulator = startCli(['simulate', '--port', new URL(endpoint).port], credentials)
      await cli.line(line => line.includes('the provider answers again'))
      expect(await cli.ended).toBe(0)
      expect(cli.stderr.filter(line => line.includes('cannot be reached since'))).toHaveLength(1)
    } finally {
      await database.drop()
    }
  })

  it('tells one list from another in the same database', async () => {
    const database = await createTestDatabase()
    try {
      const environment = environmentOn(database)
      const move = async (csv: string) => {
        const cli = startCli(['move', '-', '--out', '/dev/null'], environment, csv)
        expect(await cli.ended).toBe(0)
        return cli.stderr.join('\n')
      }
      expect(await move(csvOf(names('first', 5)))).not.toContain('other list')
      const second = await move(csvOf(names('second', 2)))
      expect(second).toMatch(/this database has worked on 1 other list .* only lines with the same requestId/)
      expect(second).toMatch(/^ {2}[0-2]\/[02] done · [0-2] moved/m)
      expect(second).not.toMatch(/\/[5-7] done/)
      expect(second).toMatch(/^ {2}accepted +2$/m)
      expect(second).toMatch(/^ {2}moved +2$/m)
      expect(second).toMatch(/^ {2}jobs +1$/m)
    } finally {
      await database.drop()
    }
  })

  it.each([
    ['a missing file', 'nowhere.csv', null],
    ['an empty file', 'empty.csv', ''],
    ['a file without the columns', 'columns.csv', 'name,product\nx,y\n'],
    ['a directory', '.', null],
  ])('ends with 2 for %s, saying what is wrong', async (_what, name, content) => {
    const file = join(directory, name)
    if (content !== null) await writeFile(file, content)
    const cli = startCli(['move', file], credentials)
    expect(await cli.ended).toBe(2)
    expect(cli.stderr.join('\n')).toContain(name === '.' ? directory : name)
    expect(cli.stderr.join('\n')).not.toContain('    at ')
  })
})
