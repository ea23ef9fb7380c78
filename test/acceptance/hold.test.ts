import { Client } from 'pg'
import { runCli, startCli } from '../support/cli-process'
import { createTestDatabase, type TestDatabase } from '../support/database'

jest.setTimeout(60_000)

describe('device-move hold and release', () => {
  let database: TestDatabase
  const cli = (...args: string[]) => runCli(args, { DATABASE_URL: database.url })

  beforeAll(async () => {
    database = await createTestDatabase()
    expect(await cli('migrate')).toMatchObject({ status: 0 })
  })
  afterAll(() => database.drop())

  it('stop a route and resume it', async () => {
    const client = new Client({ connectionString: database.url })
    await client.connect()
    await client.query(
      `insert into device_move_journal.route (identity, product_key, source_instance_id, strategy, target_instance_ids,
         target_uid, priority) values ('\\x00', 'a1BwAGVexmp', 'iot-a', 0, '{iot-b}', '1984', 'normal')`,
    )
    await client.end()
    expect(await cli('hold', '1', '--reason', 'target is full')).toEqual({
      status: 0,
      out: expect.stringMatching(/^Route 1 is held since 20\S+Z: target is full$/),
      err: '',
    })
    expect(await cli('hold', '1', '--reason', 'target is down')).toEqual({
      status: 0,
      out: expect.stringMatching(
        /^Route 1 was held already, since 20\S+Z; the reason is now: target is down$/,
      ),
      err: '',
    })
    expect((await cli('hold', '1')).out).toMatch(
      /^Route 1 was held already, since 20\S+Z; the reason is still: target is down$/,
    )
    expect(await cli('release', '1')).toEqual({ status: 0, out: 'Route 1 is released.', err: '' })
    expect(await cli('release', '1')).toEqual({ status: 0, out: 'Route 1 was not held.', err: '' })
  })

  it.each([
    [['hold', 'x'], 2, '"x" is no route: give its route_id, a whole number'],
    [['release', '0'], 2, '"0" is no route: give its route_id, a whole number'],
    [['hold', '1', '--reason', ' '], 2, '--reason: the reason is 1 to 256 printable characters'],
    [['hold', '77'], 1, 'There is no route 77: see device_move.routes.'],
  ])('say what is wrong with %j', async (args, status, err) => {
    expect(await cli(...args)).toEqual({ status, out: '', err })
  })

  it.each([
    ['hold', 'postgres://someone:hunter2@127.0.0.1:1/none', 'ECONNREFUSED'],
    ['release', 'postgres://nobody:hunter2@HOST/none', 'nobody'],
  ])('say, here %s, that the database cannot be reached', async (command, template, why) => {
    const url = template.replace('HOST', new URL(database.url).host)
    const process = startCli([command, '1'], { DATABASE_URL: url })
    expect(await process.ended).toBe(1)
    expect(process.stderr).toHaveLength(1)
    expect(process.stderr[0]).toMatch(/^The database .*\. Check /)
    expect(process.stderr[0]).toContain(why)
    expect(process.stderr.join()).not.toContain('hunter2')
  })
})
