import { randomBytes } from 'node:crypto'
import { Client, type QueryResultRow } from 'pg'
import { migrate } from '../../src/postgres/session/migrations'

export interface TestDatabase {
  /** The superuser's URL of a database of its own. */
  readonly url: string
  /** Ends its sessions and drops it. */
  drop(): Promise<void>
}

const serverUrl = (): string => {
  const url = process.env.TEST_POSTGRES_URL
  if (!url) throw new Error('TEST_POSTGRES_URL is not set: this suite runs under start-servers.ts')
  return url
}

/** TEST_POSTGRES_BIN: the directory with `initdb` and `postgres` of the release to test on; unset: the embedded one. */
export const testBinaries = (): string | undefined => process.env.TEST_POSTGRES_BIN || undefined

const onServer = async (sql: string): Promise<void> => {
  await query(serverUrl(), sql)
}

const createDatabase = async (template: string): Promise<TestDatabase> => {
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(`create database ${name} template ${template}`)
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  return { url: url.href, drop: () => onServer(`drop database if exists ${name} with (force)`) }
}

/** A database without a schema, on the server of `TEST_POSTGRES_URL`. */
export const createTestDatabase = (): Promise<TestDatabase> => createDatabase('template0')

/** A copy of a database as it is now, its backup. No session may be connected to it. */
export const copyDatabase = ({ url }: Pick<TestDatabase, 'url'>): Promise<TestDatabase> =>
  createDatabase(new URL(url).pathname.slice(1))

/**
 * Puts a copy in the place of a database, as a restore or a fail-over does: sessions are ended, and whoever connects again
 * meets the copy. From then on `database` is the copy, and `copy` the database of before.
 */
export const replaceDatabase = async (
  database: Pick<TestDatabase, 'url'>,
  copy: Pick<TestDatabase, 'url'>,
): Promise<void> => {
  const [name, other] = [database, copy].map(({ url }) => new URL(url).pathname.slice(1))
  await onServer(`alter database ${name} with allow_connections false`)
  await query(serverUrl(), 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
    name,
  ])
  await onServer(`alter database ${name} rename to ${name}_before`)
  await onServer(`alter database ${other} rename to ${name}`)
  await onServer(`alter database ${name}_before rename to ${other}`)
}

/** A database with this release's schema and nothing in it. */
const migrated = async (): Promise<TestDatabase> => {
  const database = await createTestDatabase()
  await migrate(database.url, { log: () => undefined })
  return database
}

/** The database that the suites of a run copy: `TEST_POSTGRES_TEMPLATE`. Copying takes a third of the time of migrating. */
export const createTemplate = migrated

/** A migrated database: a copy of the run's template, or migrated anew on a server that the suite has started itself. */
export const createMigratedDatabase = (): Promise<TestDatabase> => {
  const template = process.env.TEST_POSTGRES_TEMPLATE
  return template !== undefined && new URL(template).host === new URL(serverUrl()).host
    ? copyDatabase({ url: template })
    : migrated()
}

/** The rows of one statement, on a connection of its own to the database at `url`. */
export const query = async <Row extends QueryResultRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(sql, [...values])).rows
  } finally {
    await client.end()
  }
}
