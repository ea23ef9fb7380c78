import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Config } from '../app/config'
import { migrate } from '../postgres/session/migrations'
import { createPool, type Pool } from '../postgres/session/session'
import { NoPlaceError } from '../tools/embedded/embedded-server-error'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../tools/embedded/postgres'
import { configured } from './configured'
import { asUsage, CommandError, exitCode } from './exit-code'
import { databaseProblem } from './problems'

// The embedded PostgreSQL that keeps the runs of `move` in a directory, for want of DATABASE_URL.

const homeIn = (dataDir: string): string => {
  if (dataDir === '') throw new CommandError('--data-dir is empty: give a directory', exitCode.usage)
  return join(resolve(dataDir), 'postgres')
}

/** Starts it; made if it is not there yet. Ends the command if the directory cannot be used. */
export const startOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir: homeIn(dataDir) }).catch((error: unknown) => {
    if (error instanceof NoPlaceError) return asUsage(error)
    throw error
  })

/** Starts the one that a `move` has made; ends the command if there is none. */
export const openOwnDatabase = async (dataDir: string): Promise<EmbeddedPostgres> => {
  await access(homeIn(dataDir)).catch(() => {
    throw new CommandError(`--data-dir ${dataDir}: no run of move is kept there`, exitCode.usage)
  })
  return startOwnDatabase(dataDir)
}

export interface DatabaseFlags {
  /** The database of a `move` without DATABASE_URL, instead of the one of DATABASE_URL. */
  readonly dataDir?: string
}

const onPool = async <T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> => {
  // A connection that is lost fails the query, which says so.
  const pool = createPool(url, { max: 1, onError: () => undefined })
  try {
    return await work(pool)
  } catch (error) {
    throw error instanceof CommandError ? error : databaseProblem(error, url)
  } finally {
    await pool.end()
  }
}

/** Does `work` on the database that a command is for, or ends the command with what is wrong with that. */
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
    // Whoever made it may have been an older release, and nobody else brings it up to date.
    return await onPool(server.url, async pool => {
      await migrate(server.url, { log: () => undefined })
      return work(pool, config)
    })
  } finally {
    await server.stop()
  }
}
