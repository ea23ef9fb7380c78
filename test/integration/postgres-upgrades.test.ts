/** Migrations beside a service at work and analysts who read. */
import { Client } from 'pg'
import { firstValueFrom, Subject } from 'rxjs'
import { createIntakeJournal } from '../../src/postgres/intake/intake-journal'
import { createDriveJournal } from '../../src/postgres/job/drive-journal'
import { type MigrateOptions, migrate } from '../../src/postgres/session/migrations'
import { createJournalDatabase, type JournalDatabase } from '../support/journal-database'
import { verdicts } from '../support/journal-journey'
import { sessionsWaiting } from '../support/journal-locks'
import { chunkOf, routeTo } from '../support/journal-requests'
import { createMigrationFolder, type MigrationFolder } from '../support/migration-folder'
import { until } from '../support/until'

describe('a migration', () => {
  let database: JournalDatabase
  let analyst: Client
  let folder: MigrationFolder

  beforeEach(async () => {
    database = await createJournalDatabase()
    folder = createMigrationFolder()
    analyst = new Client(database.url)
    // The session is ended with its database.
    analyst.on('error', () => undefined)
    await analyst.connect()
    await analyst.query(`set application_name = 'analyst'`)
  })
  afterEach(async () => {
    await analyst.end()
    await database.drop()
    folder.remove()
  })

  const said: string[] = []
  const migrating = (more: Partial<MigrateOptions> = {}) =>
    migrate(database.url, {
      directory: folder.path,
      log: line => said.push(line),
      random: () => 0,
      ...more,
    })

  const rows = async <R extends object>(sql: string): Promise<R[]> => (await database.pool.query<R>(sql)).rows

  /** One request from intake to its settlement, each step of which must end. */
  const journey = async (number: number): Promise<void> => {
    const drive = createDriveJournal(database.pool, 1n, { batchMaxDevices: 10, batchMaxWaitMs: 0 })
    const request = { requestId: `r${number}`, route: routeTo(`iot-${number}`), devices: [`dev-${number}`] }
    await firstValueFrom(createIntakeJournal(database.pool).append(chunkOf(BigInt(number), [request])))
    const claimed = await firstValueFrom(drive.claim([]))
    if (claimed.kind !== 'job') throw new Error('nothing was claimed')
    const { job } = claimed
    await firstValueFrom(drive.creating(job.batchId))
    await firstValueFrom(drive.created(job.batchId, `P${number}`))
    await firstValueFrom(drive.markEnded(job, 'completed'))
    await firstValueFrom(drive.settle(job.batchId, verdicts(job), 'completed'), { defaultValue: undefined })
  }
  const settledJobs = async (): Promise<number> =>
    (await rows(`select from device_move.jobs where settled_at is not null`)).length

  const views = ['outcomes', 'moves', 'jobs', 'routes', 'conservation']

  it('lets intake, claims and settlements go on while it waits for an analyst, and ends after that', async () => {
    await journey(0)
    folder.add(
      '9000_columns',
      `set local search_path to device_move_journal;
       alter table route add column note text;
       alter table move add column note text;
       alter table job add column note text;
       alter table outcome add column note text;
       alter table requeue add column note text;
       create or replace view device_move.noted as select note from job`,
    )
    await analyst.query('begin')
    for (const view of views) await analyst.query(`select * from device_move.${view}`)
    const paused$ = new Subject<void>()
    const goOn$ = new Subject<void>()
    const ends: string[] = []
    const pause = () => {
      const goesOn = firstValueFrom(goOn$)
      paused$.next()
      return goesOn
    }
    said.length = 0
    let firstPause = firstValueFrom(paused$)
    const migrated = migrating({ pause }).then(result => {
      ends.push('migration')
      return result
    })
    // What comes while the migration is in the queue for the lock waits behind it until it gives up.
    await sessionsWaiting(database.pool, '%alter table route%')
    await journey(1)
    await firstPause
    // Nothing is locked while it pauses.
    await journey(2)
    firstPause = firstValueFrom(paused$)
    goOn$.next()
    await sessionsWaiting(database.pool, '%alter table route%')
    await journey(3)
    await firstPause
    expect(await settledJobs()).toBe(4)
    expect(ends).toEqual([])
    await analyst.query('commit')
    goOn$.next()
    expect((await migrated).applied).toEqual(['9000_columns'])
    await journey(4)
    expect(await rows('select note from device_move.noted')).toHaveLength(5)
    expect(said).toEqual([
      expect.stringMatching(
        /^9000_columns waits for session \d+ \(analyst, login \w+, idle in transaction, its transaction began: 20.*Z\)$/,
      ),
    ])
  })

  it('gives up waiting for a lock when the process stops', async () => {
    folder.add('9000_columns', 'alter table route add column note text')
    await analyst.query('begin; select * from device_move.routes')
    let stopping = false
    const pause = async () => {
      stopping = true
    }
    await expect(migrating({ pause, isStopping: () => stopping })).rejects.toThrow(
      '9000_columns was given up, since the process is stopping',
    )
    await analyst.query('commit')
    expect((await migrating()).applied).toEqual(['9000_columns'])
  })

  describe('outside a transaction', () => {
    const isIndexValid = async (): Promise<readonly boolean[]> =>
      (
        await rows<{ valid: boolean }>(
          `select indisvalid as valid from pg_index where indexrelid = to_regclass('device_move_journal.move_note')`,
        )
      ).map(({ valid }) => valid)

    beforeEach(() => {
      folder.add(
        '9000_index',
        '-- Outside a transaction\ncreate index concurrently if not exists move_note on move (request_id);',
      )
    })

    /** A transaction that can see rows of before, for which an index that is built concurrently waits. */
    const lookBack = () =>
      analyst.query('begin isolation level repeatable read; select * from device_move.outcomes')

    it('builds an index while others write, and waits for who might not see it', async () => {
      await lookBack()
      said.length = 0
      const migrated = migrating()
      await sessionsWaiting(database.pool, '%create index concurrently%')
      await journey(1)
      await until(async () => said.length > 0)
      expect(said[0]).toMatch(/^9000_index waits for session \d+ \(analyst/)
      expect(await settledJobs()).toBe(1)
      await analyst.query('commit')
      expect((await migrated).applied).toEqual(['9000_index'])
      expect(await isIndexValid()).toEqual([true])
    })

    it('drops what an interrupted build has left, and builds it again', async () => {
      await lookBack()
      const interrupted = migrating().catch((error: unknown) => error)
      const [pid] = await sessionsWaiting(database.pool, '%create index concurrently%')
      await database.pool.query('select pg_terminate_backend($1)', [pid])
      expect(await interrupted).toBeInstanceOf(Error)
      expect(await isIndexValid()).toEqual([false])
      await analyst.query('commit')
      expect((await migrating()).applied).toEqual(['9000_index'])
      expect(await isIndexValid()).toEqual([true])
    })

    it('is not in the way of other processes that want to migrate', async () => {
      await lookBack()
      const first = migrating()
      await sessionsWaiting(database.pool, '%create index concurrently%')
      said.length = 0
      const others = [1, 2].map(() => migrating({ pause: () => analyst.query('rollback') }))
      const results = await Promise.all([first, ...others])
      expect(results.map(({ applied }) => applied)).toEqual([['9000_index'], [], []])
      expect(said).toContain('the migration waits for another process, which migrates now')
    })
  })

  it('in steps goes on after an interruption where it was, and is done once', async () => {
    await rows(
      'create table device_move_journal.numbers as select n, 0 as seen from generate_series(1, 25) as n',
    )
    folder.add(
      '9000_steps',
      `-- In steps
       with part as materialized (
         select n from numbers where n > coalesce($1::text, '0')::integer order by n limit 10
       ), seen as (update numbers set seen = seen + 1 from part where numbers.n = part.n)
       select max(n) as position from part`,
    )
    const seen = () =>
      rows('select seen, count(*)::integer as n from device_move_journal.numbers group by 1 order by 1')
    let asked = 0
    const stopAfterTwo = () => {
      asked += 1
      return asked === 2
    }
    await expect(migrating({ isStopping: stopAfterTwo })).rejects.toThrow('9000_steps was interrupted')
    expect(await seen()).toEqual([
      { seen: 0, n: 5 },
      { seen: 1, n: 20 },
    ])
    expect((await migrating()).applied).toEqual(['9000_steps'])
    expect(await seen()).toEqual([{ seen: 1, n: 25 }])
    expect(await rows('select from device_move_journal.migration_progress')).toEqual([])
    expect((await migrating()).applied).toEqual([])
  })

  describe('of a later release', () => {
    it('lets this one start and work beside it', async () => {
      folder.add('9000_later', 'alter table device_move_journal.job add column later text')
      await migrating()
      expect(await migrate(database.url, { log: line => said.push(line) })).toEqual({
        applied: [],
        advice: [],
      })
      await journey(1)
      expect(await settledJobs()).toBe(1)
    })

    it('keeps out only releases that do not know what it requires', async () => {
      folder.add('9000_later', 'alter table device_move_journal.job add column later text')
      folder.add(
        '9001_drop',
        '-- Requires: 9000_later\nalter table device_move_journal.job drop column later',
      )
      folder.add(
        '9002_after',
        '-- Requires: 0001_journal\ncreate table device_move_journal.after (one integer)',
      )
      await migrating()
      expect(await migrating()).toEqual({ applied: [], advice: [] })
      await expect(migrate(database.url, { log: () => undefined })).rejects.toThrow(
        'the database is newer than this release: 9001_drop needs a release that knows 9000_later',
      )
    })

    it('is not skipped by one that comes before it', async () => {
      folder.add('9001_after', 'create table device_move_journal.after (one integer)')
      await migrating()
      folder.add('9000_before', 'create table device_move_journal.before (one integer)')
      await expect(migrating()).rejects.toThrow(
        'the database has the migration 9001_after, but not 9000_before, which comes before it',
      )
    })
  })
})
