import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startCli } from '../support/cli-process'
import { names } from '../support/deployment'
import { csvOf, resultsIn, useMoveStage } from '../support/move-stage'

jest.setTimeout(180_000)

describe('move FILE, interrupted and started again,', () => {
  const stage = useMoveStage(1_200)

  it('goes on after Ctrl-C and kill -9, moves nothing twice, and leaves a whole file', async () => {
    const database = await stage.emptyDatabase()
    const [file, out] = [join(stage.directory, 'fleet.csv'), join(stage.directory, 'results.ndjson')]
    await writeFile(file, csvOf(names('meter', 3_000)))
    const environment = {
      ...stage.environmentOn(database),
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
    expect(await stage.truth()).toMatchObject({ moves: 3_000, movedTwice: 0 })

    // The figure `moved` includes what the first two starts settled; `calls` does not include their calls.
    const summary = third.stderr.join('\n')
    expect(summary).toMatch(/^ {2}moved +3,000$/m)
    expect(summary).toMatch(/^ {2}calls, this start +\d/m)
    const figure = (label: string): number =>
      Number(new RegExp(`^ {2}${label}, this start +([\\d.]+)$`, 'm').exec(summary)?.[1])
    expect(figure('devices per call') * figure('calls')).toBeLessThan(2_900)

    const again = move()
    expect(await again.ended).toBe(0)
    expect(again.stderr.join('\n')).toMatch(/^ {2}jobs settled, this start +0$/m)
    expect(await stage.truth()).toMatchObject({ moves: 3_000, movedTwice: 0 })
  })

  it('writes each final result once, at whatever moment Ctrl-C comes', async () => {
    const database = await stage.emptyDatabase()
    const [file, out] = [join(stage.directory, 'fleet.csv'), join(stage.directory, 'results.ndjson')]
    const bad = ['bad name', 'bad/name', 'x'].map(name => `${name},a1BwAGVexmp,iot-a,iot-b,1984000000000001`)
    await writeFile(file, [csvOf(names('meter', 3_000)), ...bad].join('\n'))
    const environment = {
      ...stage.environmentOn(database),
      BATCH_MAX_DEVICES: '300',
      LOG_LEVEL: 'debug',
    }
    const moments = ['"migrated"', '"lease-held"', '"batch-claimed"', '"job-created"', '"job-settled"']
    let printed: readonly string[] = []
    for (const moment of moments) {
      // Every other one would print its results, which it does only at its end.
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
    expect(await stage.truth()).toMatchObject({ moves: 3_000, movedTwice: 0 })

    const printing = startCli(['move', file], environment)
    expect(await printing.ended).toBe(3)
    expect([...printing.stdout].sort()).toEqual(lines.map(line => JSON.stringify(line)).sort())
  })
})
