import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { firstValueFrom } from 'rxjs'
import { clashReason } from '../../src/domain/job'
import { TransientError } from '../../src/ports/errors'
import { createOutbox } from '../../src/postgres/outbox/outbox'
import { grantAnalysts } from '../../src/postgres/session/analyst-role'
import { checkSchema, migrate } from '../../src/postgres/session/migrations'
import { createPool } from '../../src/postgres/session/session'
import { createTestDatabase, type TestDatabase } from '../support/database'
import { createMigrationFolder } from '../support/migration-folder'

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

  it('waits for another process that migrates', async () => {
    const results = await Promise.all([1, 2, 3].map(() => migrate(database.url, silent)))
    const counts = results.map(({ applied }) => applied.length).sort((a, b) => a - b)
    expect(counts.slice(0, 2)).toEqual([0, 0])
    expect(counts[2]).toBeGreaterThan(1)
  })

  it('refuses a database that is newer than the code', async () => {
    await migrate(database.url, silent)
    await admin.query(
      `insert into device_move_journal.migration (name, run_on, requires) values ('9999_future', now(), '9998_before')`,
    )
    await expect(migrate(database.url, silent)).rejects.toThrow(
      'newer than this release: 9999_future needs a release that knows 9998_before',
    )
    await expect(checkSchema(database.url)).rejects.toThrow('newer than this release')
  })

  it('reports a database out of reach as transient, without its password', async () => {
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
      // Roles belong to the whole server, so another suite may have made this one. Nothing is left to do then.
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
      // Roles belong to the whole server, so this one is renamed for the time of this transaction only.
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

  /** A database as an earlier release left it. */
  const migrateFirst = async (count: number): Promise<void> => {
    const folder = createMigrationFolder(count)
    try {
      await migrate(database.url, { ...silent, directory: folder.path })
    } finally {
      folder.remove()
    }
  }

  it('keeps the ids and times of rejections (repeats among them) from before dead letters had their own', async () => {
    await migrateFirst(2)
    await admin.query(
      `set search_path to device_move_journal;
       insert into consumed (cluster_id, topic, partition, next_offset) values ('c', 't', 0, 3);
       insert into rejection (source_id, source_offset, ordinal, rejected_at, requested_at, request_id, product_key,
                              device_name, code, message, dead_letter)
       values (1, 0, 0, now(), '2026-11-24T08:00:00Z', 'r', null, null, 'invalid_json', 'x', 'same'),
              (1, 1, 0, now(), '2026-11-24T08:00:00Z', 'r', null, null, 'invalid_json', 'x', 'same'),
              (1, 2, 0, now(), '2026-11-24T08:00:00Z', 'r', 'p', 'dev', 'invalid_request', 'x', 'same');
       insert into outbox values (1, null, 1, 0, 2, 3);
       update outbox_counter set last_id = 1`,
    )
    expect((await migrate(database.url, silent)).applied.length).toBeGreaterThan(0)
    const ids = ['t/0/0/#0', 't/0/1/#0', 't/0/2/#0']
    const shown = await query<{ id: string }>('select outcome_id as id from device_move.outcomes order by 1')
    expect(shown.map(({ id }) => id)).toEqual(ids)
    const pool = createPool(database.url, { max: 1, onError: () => undefined })
    try {
      const chunk = await firstValueFrom(createOutbox(pool).next(0n, { outcomes: 10, bytes: 100_000_000 }))
      expect(chunk?.outcomes.map(({ id }) => id)).toEqual(ids)
      expect(chunk?.outcomes[0]).toMatchObject({
        recordedAt: new Date('2026-11-24T08:00:00Z'),
        contentType: null,
      })
    } finally {
      await pool.end()
    }
  })

  it('knows of a job held before which JobId its create was answered with', async () => {
    await migrateFirst(5)
    await admin.query(
      `set search_path to device_move_journal;
       insert into route (identity, product_key, source_instance_id, strategy, target_instance_ids, target_uid, priority)
       values ('\\x00', 'p', 'a', 0, '{b}', 'u', 'normal');
       insert into job (route_id, from_seq, to_seq, moves, devices, status, create_started_at, held_at, held_reason)
       values (1, 1, 1, 1, 1, 'unknown', now(), now(), '${clashReason('Ubms,1')}'),
              (1, 2, 2, 1, 1, 'unknown', now(), now(), 'several listed jobs could be it')`,
    )
    await migrate(database.url, silent)
    expect(await query('select clashes_with, not_ours from device_move_journal.job order by job_id')).toEqual(
      [
        { clashes_with: 'Ubms,1', not_ours: [] },
        { clashes_with: null, not_ours: [] },
      ],
    )
  })

  describe('and its grants let analysts', () => {
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

    it('use what PostgreSQL gives to everybody, until that is revoked as the document says', async () => {
      const document = readFileSync(join(__dirname, '../../docs/analysts.md'), 'utf8')
      const [, closing = ''] = /```sql\n(do [\s\S]*?)```/.exec(document) ?? []
      const openToAll = [
        'create temporary table mine (one integer)',
        'select lo_create(0)',
        'select lo_creat(-1)',
        `select lo_from_bytea(0, '')`,
      ]
      const asAnalyst = async (statement: string): Promise<void> => {
        await admin.query('begin; set local role device_move_analyst')
        try {
          await admin.query(statement)
        } finally {
          await admin.query('rollback')
        }
      }
      for (const statement of openToAll) await asAnalyst(statement)
      await admin.query(closing)
      for (const statement of [...openToAll, 'create table public.mine (one integer)'])
        await expect(asAnalyst(statement)).rejects.toThrow('permission denied')
      await asAnalyst('select * from device_move.conservation')
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
