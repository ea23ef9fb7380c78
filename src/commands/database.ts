/** The database that a command works on: that of DATABASE_URL, or the embedded one that keeps a run of `move`. */
import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Config } from '../app/config'
import { migrate } from '../postgres/session/migrations'
import { createPool, type Pool } from '../postgres/session/session'
import { NoPlaceError } from '../tools/embedded/embedded-server-error'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../tools/embedded/postgres'
import { configured } from './configured'
import { asUsage, CommandError, usageError } from './exit-code'
import { databaseProblem } from './problems'

const homeIn = (dataDir: string): string =>
  dataDir === '' ? usageError('--data-dir is empty: give a directory') : join(resolve(dataDir), 'postgres')

/** Starts the database in `dataDir`, and makes it if there is none. Ends the command if the directory cannot be used. */
export const startOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir: homeIn(dataDir) }).catch((error: unknown) => {
    if (error instanceof NoPlaceError) return asUsage(error)
    throw error
  })

/** Starts the database that a `move` has made in `dataDir`. Ends the command if there is none. */
const openOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> => {
  const home = homeIn(dataDir)
  await access(home).catch(() => usageError(`--data-dir ${dataDir}: no run of move is kept there`))
  return startOwnDatabase(dataDir)
}

export interface DatabaseFlags {
  /** Directory of a `move` without DATABASE_URL. Its database is used instead of that of DATABASE_URL. */
  readonly dataDir?: string
}

const onPool = async <T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> => {
  // A lost connection fails the query on it, whose error says so.
  const pool = createPool(url, { max: 1, onError: () => undefined })
  try {
    return await work(pool)
  } catch (error) {
    throw error instanceof CommandError ? error : databaseProblem(error, url)
  } finally {
    await pool.end()
  }
}

/** Does `work` on the database of the command. Ends the command with what is wrong if the database cannot be used. */
export const withDatabase = async <T>(
  { dataDir }: DatabaseFlags,
  work: (pool: Pool, config: Config) => Promise<T>,
): Promise<T> => {
  if (dataDir === undefined) {
    const config = configured(['databaseUrl'])
    return onPool(config.databaseUrl ?? '', pool => work(pool, config))
  }
  const config = configured([])
  const server = await openOwnDatabase(dataDir)
  try {
    // An older release may have made the database, and no service brings its schema up to date.
    return await onPool(server.url, async pool => {
      await migrate(server.url, { log: line => console.error(line) })
      return work(pool, config)
    })
  } finally {
    await server.stop()
  }
}
