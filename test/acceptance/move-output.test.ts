import { constants, lstat, open, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { startCli } from '../support/cli-process'
import { names } from '../support/deployment'
import { makeFifo } from '../support/make-fifo'
import { csvOf, resultsIn, useMoveStage } from '../support/move-stage'
import { until } from '../support/until'

jest.setTimeout(180_000)

/** The command closes its database just before its end, so two looks after that only its output is left. */
const untilItsDatabaseIsLeft = async (client: Client): Promise<void> => {
  let looks = 0
  await until(async () => {
    const { rows } = await client.query(
      `select from pg_stat_activity where datname = current_database() and application_name like 'device-move%'`,
    )
    if (rows.length === 0) looks += 1
    return looks === 2
  })
}

describe('move FILE', () => {
  const stage = useMoveStage(200)

  it('replaces a file behind a link as a whole, and writes to what is no file', async () => {
    const database = await stage.emptyDatabase()
    const [real, link, fifo] = [
      join(stage.directory, 'real'),
      join(stage.directory, 'link'),
      join(stage.directory, 'fifo'),
    ]
    await symlink('real', link)
    await makeFifo(fifo)
    const reader = readFile(fifo, 'utf8')
    const environment = stage.environmentOn(database)
    const move = async (out: string, csv = csvOf(names('meter', 3)), ...more: string[]) => {
      const cli = startCli(['move', '-', '--out', out, ...more], environment, csv)
      return { status: await cli.ended, stdout: cli.stdout, stderr: cli.stderr.join('\n') }
    }
    // The target of the link is missing the first time and there the second time.
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
  })

  it('waits until its FIFO is read, or for Ctrl-C', async () => {
    const database = await stage.emptyDatabase()
    const fifo = join(stage.directory, 'fifo')
    await makeFifo(fifo)
    const move = () =>
      startCli(['move', '-', '--out', fifo], stage.environmentOn(database), csvOf(names('meter', 3)))
    const first = move()
    await first.line(line => line.includes('waiting until somebody reads'))
    first.kill('SIGTERM')
    expect(await first.ended).toBe(130)
    const second = move()
    await second.line(line => line.includes('waiting until somebody reads'))
    expect(await resultsIn(fifo)).toHaveLength(3)
    expect(await second.ended).toBe(0)
  })

  it('prints all of its results, even when their reader is slower than the rest of its work', async () => {
    const database = await stage.emptyDatabase()
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const [file, out, fifo] = ['fleet.csv', 'out', 'fifo'].map(name => join(stage.directory, name)) as [
      ...[string, string, string],
    ]
    await writeFile(file, csvOf(names('meter', 1_000)))
    await makeFifo(fifo)
    const reader = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = await open(fifo, 'w')
    try {
      const environment = stage.environmentOn(database)
      expect(await startCli(['move', file, '--out', out], environment).ended).toBe(0)
      const whole = await readFile(out, 'utf8')
      const cli = startCli(['move', file], environment, null, [], writer.fd)
      await writer.close()
      let printed = ''
      const read = async (most: number): Promise<boolean> => {
        const buffer = Buffer.alloc(most)
        const { bytesRead } = await reader.read(buffer).catch((error: NodeJS.ErrnoException) => {
          // Nothing can be read yet.
          if (error.code === 'EAGAIN') return { bytesRead: 0 }
          throw error
        })
        printed += buffer.toString('utf8', 0, bytesRead)
        return bytesRead > 0
      }
      // Larger reads would empty the pipe, so that nothing could be lost; smaller ones would take too long.
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
      await untilItsDatabaseIsLeft(client)
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
    }
  })

  it('ends at the first signal once it is done and nobody reads its results', async () => {
    const database = await stage.emptyDatabase()
    const client = new Client({ connectionString: database.url })
    await client.connect()
    const fifo = join(stage.directory, 'fifo')
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
      const cli = startCli(['move', '-'], stage.environmentOn(database), csv, [], writer.fd)
      await cli.line(line => line.includes('3 final results of this list'))
      await untilItsDatabaseIsLeft(client)
      expect(cli.child.exitCode).toBeNull()
      cli.kill('SIGTERM')
      expect(await cli.ended).toBe('SIGTERM')
    } finally {
      await writer.close()
      await reader.close()
      await client.end()
    }
  })
})
