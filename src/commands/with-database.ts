import type { Config } from '../config'
import { migrate } from '../postgres/migrate'
import { createPool, type Pool } from '../postgres/pool'
import { configured } from './configured'
import { databaseProblem } from './database-problem'
import { CommandError } from './exit-code'
import { openOwnDatabase } from './own-database'

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
