import type { Pool, PoolClient } from 'pg'

/** What answers queries: a pool, or one connection in a transaction. */
export type Queries = Pick<PoolClient, 'query'>

/**
 * All that `read` asks is answered as of one moment, whatever is committed meanwhile: what is judged together must
 * have been true together. Errors are the client's own.
 */
export const inSnapshot = async <T>(pool: Pool, read: (from: Queries) => Promise<T>): Promise<T> => {
  const client = await pool.connect()
  let isGood = false
  try {
    await client.query('begin isolation level repeatable read read only')
    const found = await read(client)
    await client.query('commit')
    isGood = true
    return found
  } finally {
    client.release(!isGood)
  }
}
