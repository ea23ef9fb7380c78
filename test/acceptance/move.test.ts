import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startCli } from '../support/cli-process'
import { names } from '../support/deployment'
import { csvOf, moveCredentials, type ResultLine, useMoveStage } from '../support/move-stage'

jest.setTimeout(180_000)

describe('move FILE', () => {
  const stage = useMoveStage(200)

  it('needs no database, writes to standard output, and ends with 3 when a move has failed', async () => {
    const csv = `${csvOf(names('meter', 20))}\nbad name,a1BwAGVexmp,iot-a,iot-b,1984000000000001\n`
    const environment = { ...moveCredentials, IOT_ENDPOINT: stage.endpoint, BATCH_MAX_WAIT_MS: '200' }
    const cli = startCli(['move', '-', '--data-dir', join(stage.directory, 'data')], environment, csv)
    expect(await cli.ended).toBe(3)
    const lines = cli.stdout.map(line => JSON.parse(line) as ResultLine)
    expect(lines).toHaveLength(21)
    expect(lines.filter(({ outcome }) => outcome === 'moved')).toHaveLength(20)
    expect(lines.filter(({ outcome }) => outcome === 'rejected')).toHaveLength(1)
  })

  it('tells one list from another in the same database', async () => {
    const database = await stage.emptyDatabase()
    const environment = stage.environmentOn(database)
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
  })

  it('ends with 3 when a route of its own list is held, but not when one of another list is', async () => {
    const database = await stage.emptyDatabase()
    const environment = stage.environmentOn(database)
    const move = (csv: string) => startCli(['move', '-'], environment, csv).ended
    expect(await move(csvOf(names('first', 5)))).toBe(0)
    const hold = startCli(['hold', '1'], environment)
    expect(await hold.ended).toBe(0)
    expect(await move(csvOf(names('held', 5)))).toBe(3)
    expect(await move(csvOf(names('free', 5)).replaceAll('iot-b', 'iot-c'))).toBe(0)
  })

  it.each([
    ['a missing file', 'nowhere.csv', null],
    ['an empty file', 'empty.csv', ''],
    ['a file without the columns', 'columns.csv', 'name,product\nx,y\n'],
    ['a directory', '.', null],
  ])('ends with 2 for %s and says what is wrong', async (_what, name, content) => {
    const file = join(stage.directory, name)
    if (content !== null) await writeFile(file, content)
    const cli = startCli(['move', file], moveCredentials)
    expect(await cli.ended).toBe(2)
    expect(cli.stderr.join('\n')).toContain(name === '.' ? stage.directory : name)
    expect(cli.stderr.join('\n')).not.toContain('    at ')
  })
})
