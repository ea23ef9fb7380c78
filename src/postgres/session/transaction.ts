import { isNativeError } from 'node:util/types'
import type { Pool, PoolClient } from 'pg'
import { defer, type Observable } from 'rxjs'
import { TransientError } from '../../ports/errors'

/**
 * SQLSTATEs that waiting cures: 08 connection, 53 resources, 57P server stopping or starting, 57014 cancelled by a
 * time limit, 55P03 lock not available in time, 25P03 idle too long, 25006 read-only during a switch-over,
 * 40 serialisation and deadlock.
 */
const transientState = /^(08|53|57P|57014|55P03|25P03|25006|40)/

const transientSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** The driver's own complaints carry no code. */
const transientText =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|not queryable|Query read timeout/

// `instanceof Error` misses the platform's own errors where code is loaded into a realm of its own.
export const codeOf = (error: unknown): string | null =>
  isNativeError(error) && 'code' in error && typeof error.code === 'string' ? error.code : null

/** Wraps what waiting cures as `TransientError`; everything else as it is. */
export const asPortError = (error: unknown): unknown => {
  if (!isNativeError(error)) return error
  const code = codeOf(error)
  const isTransient =
    code === null
      ? transientText.test(error.message)
      : transientState.test(code) || transientSystemCodes.has(code)
  // Several addresses tried in vain give an error with a code and no text.
  return isTransient ? new TransientError(`PostgreSQL: ${error.message || code}`, { cause: error }) : error
}

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

/** What was read, or null while the database cannot be reached: it may come back. */
export const ifReachable = async <T>(reading: Promise<T>): Promise<T | null> => {
  try {
    return await reading
  } catch (error) {
    if (asPortError(error) instanceof TransientError) return null
    throw error
  }
}
