import type { Pool, PoolClient } from 'pg'
import { defer, type Observable } from 'rxjs'
import { asPortError, codeOf } from './transient-error'

/** Deadlock and serialisation failure: the transaction did nothing and may be run again at once. */
const runAgain = new Set(['40P01', '40001'])
const maxRuns = 5

/** Known to the client of PostgreSQL, not to its types: an answer to it that does not come within 5 s does not come. */
const rollbackNow = { text: 'rollback', query_timeout: 5_000 }

/** Says whether the connection is still good. */
const rollback = (client: PoolClient): Promise<boolean> =>
  client.query(rollbackNow).then(
    () => true,
    () => false,
  )

const runOnce = async <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> => {
  const client = await pool.connect()
  let isGood = true
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    isGood = await rollback(client)
    throw error
  } finally {
    client.release(!isGood)
  }
}

const run = async <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> => {
  for (let runs = 1; ; runs += 1) {
    try {
      return await runOnce(pool, work)
    } catch (error) {
      if (runs === maxRuns || !runAgain.has(codeOf(error) ?? '')) throw asPortError(error)
    }
  }
}

/**
 * Runs `work` in a transaction (read committed) for each subscriber. Unsubscribing does not stop it. After an error
 * with the commit under way it is not known whether it was done: `work` must be fit to be done again.
 */
export const inTransaction = <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Observable<T> =>
  defer(() => run(pool, work))
