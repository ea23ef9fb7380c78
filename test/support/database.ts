import { randomBytes } from 'node:crypto'
import { Client } from 'pg'

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

/** A fresh database on the run's server. */
export const createTestDatabase = (): Promise<TestDatabase> => createDatabase('template0')

/** A database as it is now, nobody being connected to it: its backup. */
export const copyDatabase = ({ url }: TestDatabase): Promise<TestDatabase> =>
  createDatabase(new URL(url).pathname.slice(1))
