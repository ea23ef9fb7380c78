/** Brings the schema of the journal up to this release, and lets analysts read its views. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { codeOf } from '../../domain/error-text'
import { asPortError } from './transaction'

export const analystRole = 'device_move_analyst'

const createRole = `create role ${analystRole} nologin`
/**
 * The role sees the views only, because the tables behind them lie in another schema. What PostgreSQL grants to every role
 * can be revoked from all roles only, and others may use this database: docs/analysts.md says how.
 */
const grants = [
  `grant usage on schema device_move to ${analystRole}`,
  `grant select on all tables in schema device_move to ${analystRole}`,
]

const notPermitted = '42501'
/** The role exists. Another database of the same server may have created it at this moment. */
const alreadyThere = new Set(['42710', '23505'])

/** False when this login is not permitted to run it. */
const tryStatement = async (client: Client, statement: string): Promise<boolean> => {
  try {
    await client.query(statement)
    return true
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (alreadyThere.has(code)) return true
    if (code === notPermitted) return false
    throw error
  }
}

/** Makes the role of analysts and lets it read the views. Gives the statements that are left to an administrator. */
export const grantAnalysts = async (client: Client): Promise<string[]> => {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [analystRole])
  if (rowCount === 0 && !(await tryStatement(client, createRole))) return [createRole, ...grants]
  const left: string[] = []
  for (const grant of grants) if (!(await tryStatement(client, grant))) left.push(grant)
  return left
}

export interface MigrateResult {
  /** Names of the migrations applied now, in order. */
  readonly applied: readonly string[]
  /** Statements an administrator has to run, because this login may not. */
  readonly advice: readonly string[]
}

const directory = join(__dirname, '../../../migrations')
const ledgerSchema = 'device_move_journal'
const ledgerTable = 'migration'
/** The number of the advisory lock ("devmove" in ASCII). Its holder migrates while other processes wait. */
const lockKey = '28259080993109605'

const knownNames = async (): Promise<Set<string>> => {
  const files = await readdir(directory)
  return new Set(files.filter(file => file.endsWith('.sql')).map(file => file.replace(/\.sql$/, '')))
}

/** Migrations only go forward, so only the newer release can work on this database. */
export class NewerDatabaseError extends Error {
  override readonly name = 'NewerDatabaseError'
}

/** Throws when the database has migrations this code does not know. */
const refuseNewer = async (client: Client): Promise<void> => {
  const table = `${ledgerSchema}.${ledgerTable}`
  const { rows: found } = await client.query<{ exists: boolean }>(
    'select to_regclass($1) is not null as exists',
    [table],
  )
  if (!found[0]?.exists) return
  const known = await knownNames()
  const { rows } = await client.query<{ name: string }>(`select name from ${table} order by id`)
  const newer = rows.map(row => row.name).filter(name => !known.has(name))
  if (newer.length > 0)
    throw new NewerDatabaseError(`the database is newer than this release: it has ${newer.join(', ')}`)
}

const apply = async (client: Client, log: (line: string) => void): Promise<MigrateResult> => {
  await client.query('select pg_advisory_lock($1::bigint)', [lockKey])
  await refuseNewer(client)
  // Loading it takes 40 ms, which the commands that migrate nothing save.
  const { runner } = require('node-pg-migrate') as typeof import('node-pg-migrate')
  const migrations = await runner({
    dbClient: client,
    dir: directory,
    direction: 'up',
    migrationsSchema: ledgerSchema,
    createMigrationsSchema: true,
    migrationsTable: ledgerTable,
    checkOrder: true,
    // The runner's own lock fails at once where ours waits.
    noLock: true,
    logger: { debug: log, info: log, warn: log, error: log },
  })
  return { applied: migrations.map(({ name }) => name), advice: await grantAnalysts(client) }
}

/**
 * Brings the schema of the database at `url` up to this release and lets the role of analysts read the views. It waits
 * for a migration under way elsewhere. Throws `TransientError` when the database cannot be reached,
 * `NewerDatabaseError` when a newer release has migrated it.
 */
export const migrate = async (
  url: string,
  { log }: { readonly log: (line: string) => void },
): Promise<MigrateResult> => {
  // A migration may take long, so the journal's time limits do not apply to it.
  const client = new Client({
    connectionString: url,
    application_name: 'device-move-migrate',
    connectionTimeoutMillis: 10_000,
  })
  let broken: Error | null = null
  client.on('error', error => {
    broken = error
  })
  try {
    await client.connect()
    return await apply(client, log)
  } catch (error) {
    throw asPortError(broken ?? error)
  } finally {
    // This also releases the lock.
    await client.end()
  }
}
