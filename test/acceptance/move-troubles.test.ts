import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { startCli } from '../support/cli-process'
import { names } from '../support/deployment'
import { csvOf, moveCredentials, resultsIn, useMoveStage } from '../support/move-stage'

jest.setTimeout(180_000)

describe('move FILE', () => {
  const stage = useMoveStage(200)

  it('ends at Ctrl-C while it waits for its database', async () => {
    const cli = startCli(
      ['move', '-'],
      {
        ...moveCredentials,
        IOT_ENDPOINT: stage.endpoint,
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

  it('says in one sentence that its database refuses its login', async () => {
    const database = await stage.emptyDatabase()
    const url = new URL(database.url)
    url.password = 'sesame'
    const cli = startCli(
      ['move', '-'],
      { ...moveCredentials, IOT_ENDPOINT: stage.endpoint, DATABASE_URL: url.href },
      csvOf(['meter-1']),
    )
    expect(await cli.ended).toBe(1)
    expect(cli.stderr.join('\n')).toMatch(/password authentication failed.*Check the user/)
    expect(cli.stderr.join('\n')).not.toMatch(/^ {4}at |sesame/m)
  })

  it('ends and says why when its service cannot go on', async () => {
    const database = await stage.emptyDatabase()
    expect(await startCli(['migrate'], { DATABASE_URL: database.url }).ended).toBe(0)
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      // The server words it so for a user who lacks this one permission.
      await client.query(`
        create function device_move_journal.refused() returns trigger language plpgsql as $$
        begin raise exception 'permission denied for table lease' using errcode = '42501'; end $$;
        create trigger refused before update on device_move_journal.lease
          execute function device_move_journal.refused()`)
      const cli = startCli(
        ['move', '-'],
        { ...moveCredentials, IOT_ENDPOINT: stage.endpoint, DATABASE_URL: database.url },
        csvOf(['meter-1']),
      )
      expect(await cli.ended).toBe(1)
      expect(cli.stderr.at(-1)).toMatch(/permission denied for table lease\. Let this user/)
    } finally {
      await client.end()
    }
  })

  it('says since when the provider has been out of reach, and when it answers again', async () => {
    const database = await stage.emptyDatabase()
    await stage.killSimulator()
    const cli = startCli(
      ['move', '-', '--out', '/dev/null'],
      stage.environmentOn(database),
      csvOf(names('meter', 2)),
    )
    await cli.line(line => line.includes(`the provider at ${stage.endpoint} cannot be reached since 20`))
    // Every device is counted in one of the figures.
    await cli.line(line => line.includes('0/2 done · 0 moved · 0 failed · 0 rejected · 2 in flight'))
    await stage.restartSimulator()
    await cli.line(line => line.includes('the provider answers again'))
    expect(await cli.ended).toBe(0)
    expect(cli.stderr.filter(line => line.includes('cannot be reached since'))).toHaveLength(1)
  })

  it('says what to do about held jobs in a database of its own, and goes on afterwards', async () => {
    const file = join(stage.directory, 'fleet.csv')
    const [dataDir, out] = [join(stage.directory, 'data'), join(stage.directory, 'results.ndjson')]
    await writeFile(file, csvOf(names('meter', 5)))
    const environment = {
      ...moveCredentials,
      IOT_ENDPOINT: stage.endpoint,
      BATCH_MAX_WAIT_MS: '200',
      BATCH_MAX_DEVICES: '3',
      CREATE_SETTLE_MS: '2000',
    }
    // The answer of a create is lost and List is refused, so the job is held and its route waits for it.
    const failNext = (body: object) =>
      fetch(`${stage.endpoint}/_simulator/fail-next`, { method: 'POST', body: JSON.stringify(body) })
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
    const none = join(stage.directory, 'none')
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
})
