import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runner } from 'node-pg-migrate'
import { Client } from 'pg'
import { grantAnalysts } from './analyst-role'
import { asPortError } from './transient-error'

export interface MigrateResult {
  /** Names of the migrations applied now, in order. */
  readonly applied: readonly string[]
  /** Statements an administrator has to run, because this login may not. */
  readonly advice: readonly string[]
}

const directory = join(__dirname, '../../migrations')
const ledgerSchema = 'device_move_journal'
const ledgerTable = 'migration'
/** "devmove" as a number: whoever holds it migrates, the others wait. */
const lockKey = '28259080993109605'

const knownNames = async (): Promise<Set<string>> => {
  const files = await readdir(directory)
  return new Set(files.filter(file => file.endsWith('.sql')).map(file => file.replace(/\.sql$/, '')))
}

/** Migrations go forward only, so nothing but the newer release can work on it. */
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
  const migrations = await runner({
    dbClient: client,
    dir: directory,
    direction: 'up',
    migrationsSchema: ledgerSchema,
    createMigrationsSchema: true,
    migrationsTable: ledgerTable,
    checkOrder: true,
    // Its own lock fails where ours waits.
    noLock: true,
    logger: { debug: log, info: log, warn: log, error: log },
  })
  return { applied: migrations.map(({ name }) => name), advice: await grantAnalysts(client) }
}

/**
 * Brings the schema of the database at `url` up to this release, and lets the role of analysts read the views.
 * Waits for a migration under way elsewhere. Throws `TransientError` when the database cannot be reached,
 * `NewerDatabaseError` when a newer release has migrated it.
 */
export const migrate = async (
  url: string,
  { log }: { readonly log: (line: string) => void },
): Promise<MigrateResult> => {
  // A migration may take long: none of the journal's time limits.
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
    // Also gives up the lock.
    await client.end()
  }
}
