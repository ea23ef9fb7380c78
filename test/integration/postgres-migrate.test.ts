import { Client } from 'pg'
import { TransientError } from '../../src/ports'
import { grantAnalysts } from '../../src/postgres/analyst-role'
import { migrate } from '../../src/postgres/migrate'
import { createTestDatabase, type TestDatabase } from '../support/database'

const silent = { log: () => undefined }

describe('migrate', () => {
  let database: TestDatabase
  let admin: Client

  const query = async <R extends object>(sql: string): Promise<R[]> => (await admin.query<R>(sql)).rows

  beforeEach(async () => {
    database = await createTestDatabase()
    admin = new Client(database.url)
    await admin.connect()
  })
  afterEach(async () => {
    await admin.end()
    await database.drop()
  })

  it('applies what is missing, once', async () => {
    const first = await migrate(database.url, silent)
    expect(first.applied[0]).toBe('0001_journal')
    expect(first.advice).toEqual([])
    expect(await migrate(database.url, silent)).toEqual({ applied: [], advice: [] })
  })

  it('waits for another that migrates', async () => {
    const results = await Promise.all([1, 2, 3].map(() => migrate(database.url, silent)))
    const counts = results.map(({ applied }) => applied.length).sort((a, b) => a - b)
    expect(counts.slice(0, 2)).toEqual([0, 0])
    expect(counts[2]).toBeGreaterThan(1)
  })

  it('refuses a database that is newer than the code', async () => {
    await migrate(database.url, silent)
    await admin.query(
      `insert into device_move_journal.migration (name, run_on) values ('9999_future', now())`,
    )
    await expect(migrate(database.url, silent)).rejects.toThrow('newer than this release: it has 9999_future')
  })

  it('calls a database out of reach transient, and keeps its password to itself', async () => {
    const failure: unknown = await migrate('postgres://u:sesame@127.0.0.1:1/x', silent).catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(TransientError)
    expect(String(failure)).not.toContain('sesame')
  })

  it('tells an administrator what a plain login may not do', async () => {
    const name = new URL(database.url).pathname.slice(1)
    const plain = `plain_${name}`
    await admin.query(
      `create role ${plain} login password 'plain'; grant create on database ${name} to ${plain}`,
    )
    const url = new URL(database.url)
    url.username = plain
    url.password = 'plain'
    try {
      const { applied, advice } = await migrate(url.href, silent)
      expect(applied.length).toBeGreaterThan(0)
      // Roles belong to the whole server: another suite may have made this one, and then nothing is left to do.
      const [role] = await query<{ there: boolean }>(
        `select exists (select from pg_roles where rolname = 'device_move_analyst') as there`,
      )
      const expected = [
        'create role device_move_analyst nologin',
        'grant usage on schema device_move to device_move_analyst',
        'grant select on all tables in schema device_move to device_move_analyst',
      ]
      expect(advice).toEqual(role?.there ? [] : expected)
    } finally {
      await admin.query(`drop owned by ${plain} cascade; drop role ${plain}`)
    }
  })

  it('advises every statement when the role of analysts cannot be made', async () => {
    const name = new URL(database.url).pathname.slice(1)
    await migrate(database.url, silent)
    await admin.query(`create role plain_${name}`)
    try {
      // Roles belong to the whole server: it is away for this transaction only.
      await admin.query(`begin; alter role device_move_analyst rename to away_${name}`)
      await admin.query(`set local role plain_${name}`)
      expect(await grantAnalysts(admin)).toEqual([
        'create role device_move_analyst nologin',
        'grant usage on schema device_move to device_move_analyst',
        'grant select on all tables in schema device_move to device_move_analyst',
      ])
    } finally {
      await admin.query('rollback')
      await admin.query(`drop role plain_${name}`)
    }
  })

  describe('lets analysts', () => {
    beforeEach(async () => {
      await migrate(database.url, silent)
    })

    it('read every view and nothing else', async () => {
      const views = await query<{ name: string }>(
        `select table_name as name from information_schema.tables where table_schema = 'device_move' order by 1`,
      )
      expect(views.map(({ name }) => name)).toEqual(
        expect.arrayContaining([
          'conservation',
          'devices',
          'failures_by_code',
          'jobs',
          'moves',
          'outcomes',
          'routes',
          'throughput_hourly',
        ]),
      )
      await admin.query('set role device_move_analyst')
      for (const { name } of views) await admin.query(`select * from device_move.${name}`)
      for (const denied of [
        'select * from device_move_journal.move',
        'select * from device_move_journal.lease',
        'create view device_move.mine as select 1 as one',
        'delete from device_move.jobs',
      ])
        await expect(admin.query(denied)).rejects.toThrow('permission denied')
      await admin.query('reset role')
    })

    it('find a comment on every view and column', async () => {
      const bare = await query(
        `select c.relname, a.attname from pg_class c
         join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'device_move'
         left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where c.relkind = 'v' and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, a.attnum) is null)`,
      )
      expect(bare).toEqual([])
    })
  })
})
