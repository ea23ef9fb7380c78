/** Brings the schema of the journal up to this release, and lets analysts read its views. */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client, type ClientConfig } from 'pg'
import { grantAnalysts } from './analyst-role'
import {
  applyMigration,
  inShortTransaction,
  type MigrationSession,
  type Patience,
  pauseBetween,
} from './apply-migration'
import { type Migration, readMigrations } from './migration-files'
import { asPortError } from './transaction'

export interface MigrateResult {
  /** Names of the migrations applied now, in order. */
  readonly applied: readonly string[]
  /** Statements an administrator has to run, because this login may not. */
  readonly advice: readonly string[]
}

export interface MigrateOptions extends Partial<Omit<Patience, 'log'>> {
  /** Says what the migration waits for. */
  readonly log: (line: string) => void
  /** Where the migrations are. Default: those of this release. */
  readonly directory?: string
}

const ownDirectory = join(__dirname, '../../../migrations')
/** The number of the advisory lock ("devmove" in ASCII). Its holder migrates while other processes wait. */
const lockKey = '28259080993109605'

/** This release cannot work on the schema of a newer one. */
export class NewerDatabaseError extends Error {
  override readonly name = 'NewerDatabaseError'
}

interface Applied {
  readonly name: string
  readonly requires: string | null
}

interface Ledger {
  readonly applied: readonly Applied[]
  /** False if there is no ledger, or one that an earlier release has made. */
  readonly isComplete: boolean
}

const createLedger = `
  create schema if not exists device_move_journal;
  create table if not exists device_move_journal.migration (
    id serial primary key, name varchar(255) not null, run_on timestamp not null
  );
  -- Name of the migration that a release has to know to work on the schema since then; null: any earlier release can.
  alter table device_move_journal.migration add column if not exists requires text;
  -- How far a migration in steps has come.
  create table if not exists device_move_journal.migration_progress (name text primary key, position text not null)`

const ledgerColumns = `
  select attname as name from pg_attribute
  where attrelid = to_regclass('device_move_journal.migration') and attnum > 0 and not attisdropped`

/** What has been applied, in order. */
const readLedger = async (client: Client): Promise<Ledger> => {
  const { rows: columns } = await client.query<{ name: string }>(ledgerColumns)
  if (columns.length === 0) return { applied: [], isComplete: false }
  // The row as JSON has no field for a column that is not there.
  const { rows: applied } = await client.query<Applied>(
    `select name, to_jsonb(m) ->> 'requires' as requires from device_move_journal.migration m order by id`,
  )
  return { applied, isComplete: columns.some(({ name }) => name === 'requires') }
}

/**
 * Throws when this release cannot work on the schema. Migrations that it does not know are those of a newer release. They
 * leave earlier releases able to run, unless the ledger names a migration that a release has to know.
 */
const refuseTooNew = (applied: readonly Applied[], known: ReadonlySet<string>): void => {
  const reasons = applied
    .filter(({ name, requires }) => !known.has(name) && requires !== null && !known.has(requires))
    .map(({ name, requires }) => `${name} needs a release that knows ${requires}`)
  if (reasons.length > 0)
    throw new NewerDatabaseError(`the database is newer than this release: ${reasons.join(', ')}`)
}

/** Throws where a migration is missing before one that has been applied: it was written for the schema of before. */
const missing = (migrations: readonly Migration[], applied: readonly Applied[]): readonly Migration[] => {
  const done = new Set(applied.map(({ name }) => name))
  const left = migrations.filter(({ name }) => !done.has(name))
  const later = migrations.findLast(({ name }) => done.has(name))
  const [first] = left
  if (first !== undefined && later !== undefined && first.name < later.name)
    throw new Error(
      `the database has the migration ${later.name}, but not ${first.name}, which comes before it`,
    )
  return left
}

const tryLock = async (client: Client): Promise<boolean> => {
  const { rows } = await client.query<{ taken: boolean }>(
    'select pg_try_advisory_lock($1::bigint) as taken',
    [lockKey],
  )
  return rows[0]?.taken === true
}

/**
 * One process migrates at a time. The others ask again and again instead of waiting in a statement: an index that is built
 * concurrently waits for every statement under way, theirs included.
 */
const takeTurn = async (session: MigrationSession): Promise<void> => {
  const what = 'the migration'
  for (let tries = 1; !(await tryLock(session.client)); tries += 1) {
    session.log(`${what} waits for another process, which migrates now`)
    await pauseBetween(session, tries, what)
  }
}

const apply = async (session: MigrationSession, directory: string): Promise<MigrateResult> => {
  const { client } = session
  const migrations = await readMigrations(directory)
  const known = new Set(migrations.map(({ name }) => name))
  await takeTurn(session)
  const { applied, isComplete } = await readLedger(client)
  refuseTooNew(applied, known)
  const left = missing(migrations, applied)
  if (left.length > 0 && !isComplete)
    await inShortTransaction(session, 'the migration', () => client.query(createLedger))
  for (const migration of left) await applyMigration(session, migration)
  return { applied: left.map(({ name }) => name), advice: await grantAnalysts(client) }
}

/** Whether this release can work on the schema is asked on a connection with this name, and so are migrations. */
const configOf = (url: string): ClientConfig => ({
  connectionString: url,
  application_name: 'device-move-migrate',
  connectionTimeoutMillis: 10_000,
})

const onConnection = async <T>(config: ClientConfig, work: (client: Client) => Promise<T>): Promise<T> => {
  const client = new Client(config)
  let broken: Error | null = null
  client.on('error', error => {
    broken = error
  })
  try {
    await client.connect()
    return await work(client)
  } catch (error) {
    throw asPortError(broken ?? error)
  } finally {
    // This also releases the lock.
    await client.end()
  }
}

/** A migration may take long, so it has no time limits but its own, and its statements find the tables by name. */
const ownSettings = `set statement_timeout = 0; set lock_timeout = 0; set search_path = device_move_journal`

/**
 * Brings the schema of the database at `url` up to this release and lets the role of analysts read the views. It waits
 * for a migration under way elsewhere, and for locks without holding others up. Throws `TransientError` when the database
 * cannot be reached, `NewerDatabaseError` when a newer release has made a schema that this one cannot work on.
 */
export const migrate = (url: string, options: MigrateOptions): Promise<MigrateResult> => {
  const { directory = ownDirectory, log, random = Math.random, isStopping = () => false } = options
  const config = configOf(url)
  let said = ''
  const sayOnce = (line: string): void => {
    if (line !== said) log(line)
    said = line
  }
  return onConnection(config, async client => {
    await client.query(ownSettings)
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const patience = { log: sayOnce, pause: options.pause ?? setTimeout, random, isStopping }
    return apply({ ...patience, client, config, pid: rows[0]?.pid ?? 0 }, directory)
  })
}

/** Changes nothing. Throws what `migrate` throws where this release cannot work on the schema at `url`. */
export const checkSchema = (url: string): Promise<void> =>
  onConnection(configOf(url), async client => {
    const { applied } = await readLedger(client)
    const migrations = await readMigrations(ownDirectory)
    refuseTooNew(applied, new Set(migrations.map(({ name }) => name)))
  })
