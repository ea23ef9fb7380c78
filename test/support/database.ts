import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { migrate } from '../../src/postgres/session/migrations'

export interface TestDatabase {
  /** Superuser's URL of a database nobody else uses; empty, no migration applied. */
  readonly url: string
  /** Ends its sessions and drops it. */
  drop(): Promise<void>
}

const serverUrl = (): string => {
  const url = process.env.TEST_POSTGRES_URL
  if (!url) throw new Error('TEST_POSTGRES_URL is not set: this suite runs under start-servers.ts')
  return url
}

const onServer = async (sql: string): Promise<void> => {
  const client = new Client({ connectionString: serverUrl() })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
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

/** A copy of a database as it is now, its backup. Nobody may be connected to it. */
export const copyDatabase = ({ url }: Pick<TestDatabase, 'url'>): Promise<TestDatabase> =>
  createDatabase(new URL(url).pathname.slice(1))

/** A database with this release's schema and nothing in it. */
const migrated = async (): Promise<TestDatabase> => {
  const database = await createTestDatabase()
  await migrate(database.url, { log: () => undefined })
  return database
}

/** Migrates the database that all suites of a run copy, which takes a third of the time. `TEST_POSTGRES_TEMPLATE` is its URL. */
export const createTemplate = migrated

/** A migrated database: a copy of the run's template, or migrated anew on a server that the suite has started itself. */
export const createMigratedDatabase = (): Promise<TestDatabase> => {
  const template = process.env.TEST_POSTGRES_TEMPLATE
  return template !== undefined && new URL(template).host === new URL(serverUrl()).host
    ? copyDatabase({ url: template })
    : migrated()
}
