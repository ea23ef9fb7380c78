/** A migrated database with a pool on it, for one suite. */
import { createPool, type Pool, type PoolOptions } from '../../src/postgres/session/session'
import { createMigratedDatabase } from './database'

export interface JournalDatabase {
  readonly url: string
  readonly pool: Pool
  drop(): Promise<void>
}

export const createJournalDatabase = async (more: Partial<PoolOptions> = {}): Promise<JournalDatabase> => {
  const database = await createMigratedDatabase()
  let isDropped = false
  const onError = (error: Error): void => {
    // The server may end a session that the pool has just released.
    if (!isDropped) throw error
  }
  const pool = createPool(database.url, { max: 8, onError, ...more })
  await pool.query('update lease set epoch = 1')
  return {
    url: database.url,
    pool,
    drop: async () => {
      isDropped = true
      await pool.end()
      await database.drop()
    },
  }
}
