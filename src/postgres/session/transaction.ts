/** Transactions on a pool, and which errors of PostgreSQL waiting cures. */
import { isNativeError } from 'node:util/types'
import type { Pool, PoolClient, QueryResult } from 'pg'
import { defer, type Observable } from 'rxjs'
import { codeOf } from '../../domain/error-text'
import { RestoredDatabaseError } from '../../domain/restored-database'
import { LeaseLostError, TransientError } from '../../ports/errors'
import type { SeenMarks } from './seen-marks'

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
  // An expired certificate is renewed at the server.
  'CERT_HAS_EXPIRED',
])

/** Errors of the driver itself carry no code. */
const transientText =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|not queryable|Query read timeout/

/** Wraps what waiting cures as `TransientError`; gives everything else as it is. */
export const asPortError = (error: unknown): unknown => {
  if (!isNativeError(error)) return error
  const code = codeOf(error)
  const isTransient =
    code === null
      ? transientText.test(error.message)
      : transientState.test(code) || transientSystemCodes.has(code)
  // When all addresses of a host fail, the error has a code and no text.
  return isTransient ? new TransientError(`PostgreSQL: ${error.message || code}`, { cause: error }) : error
}

/** What answers queries: a pool, or one connection in a transaction. */
export type Queries = Pick<PoolClient, 'query'>

/** What a transaction shows of the database when it is committed. It only grows. */
type CommitMarks = Pick<SeenMarks, 'nextTransaction' | 'outboxEnd' | 'lastBatch'>

const noted = new WeakMap<Pool, CommitMarks>()

/** Has what every transaction over `pool` shows at its commit noted in `marks`, so that its loss is noticed. */
export const noteCommits = (pool: Pool, marks: CommitMarks): void => {
  noted.set(pool, marks)
}

// The number is null where nothing was written. One message: it takes no longer than the commit alone.
const commitText = `
  select coalesce(pg_current_xact_id_if_assigned()::text::bigint + 1, 0) as "nextTransaction",
         (select last_id from outbox_counter) as "outboxEnd",
         coalesce((select max(job_id) from job), 0)::float8 as "lastBatch";
  commit`

const commit = async (pool: Pool, client: PoolClient): Promise<void> => {
  const marks = noted.get(pool)
  if (marks === undefined) {
    await client.query('commit')
    return
  }
  // Two statements have two results.
  const results: unknown = await client.query(commitText)
  const shown = (results as readonly [QueryResult<CommitMarks>])[0].rows[0] ?? marks
  if (shown.nextTransaction > marks.nextTransaction) marks.nextTransaction = shown.nextTransaction
  if (shown.outboxEnd > marks.outboxEnd) marks.outboxEnd = shown.outboxEnd
  if (shown.lastBatch > marks.lastBatch) marks.lastBatch = shown.lastBatch
}

/** Runs `work` between `begin` and commit. After an error, `undo` says whether the connection can be used again. */
const onConnection = async <T>(
  pool: Pool,
  begin: string,
  work: (client: PoolClient) => Promise<T>,
  undo: (client: PoolClient) => Promise<boolean>,
): Promise<T> => {
  const client = await pool.connect()
  let isGood = true
  try {
    await client.query(begin)
    const result = await work(client)
    await commit(pool, client)
    return result
  } catch (error) {
    isGood = await undo(client)
    throw error
  } finally {
    client.release(!isGood)
  }
}

/** The server answers a rollback within milliseconds, or not at all. pg's types lack `query_timeout` (ms) of one query. */
const rollbackSoon = { text: 'rollback', query_timeout: 5_000 }

const rollBack = (client: PoolClient): Promise<boolean> =>
  client.query(rollbackSoon).then(
    () => true,
    () => false,
  )

/** Deadlock and serialisation failure: the transaction did nothing and may be run again at once. */
const runAgain = new Set(['40P01', '40001'])
const maxRuns = 5

const run = async <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> => {
  for (let runs = 1; ; runs += 1) {
    try {
      return await onConnection(pool, 'begin', work, rollBack)
    } catch (error) {
      if (runs === maxRuns || !runAgain.has(codeOf(error) ?? '')) throw asPortError(error)
    }
  }
}

/**
 * Runs `work` in a transaction (read committed) for each subscriber. Unsubscribing does not stop it. When the answer to
 * the commit is lost, the transaction may or may not be done, so `work` must be fit to be done again.
 */
export const inTransaction = <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Observable<T> =>
  defer(() => run(pool, work))

/** Runs work of the driver in a transaction that only the holder of the lease can commit. */
export type Guarded = <T>(work: (client: PoolClient) => Promise<T>) => Observable<T>

const shareLease = `
  select (select s.reason from database_stop s) as stopped from lease where epoch = $1 for key share of lease`

/**
 * Every transaction first shares the lease's key. A take-over changes that key, so it waits for the transactions under
 * way, and none begins after it. Throws `LeaseLostError` when the lease has another epoch, and `RestoredDatabaseError` when
 * a process has stopped all flows.
 */
export const createGuard =
  (pool: Pool, epoch: bigint): Guarded =>
  work =>
    inTransaction(pool, async client => {
      const { rows } = await client.query<{ stopped: string | null }>(shareLease, [epoch])
      const [lease] = rows
      if (lease === undefined)
        throw new LeaseLostError(`epoch ${epoch} is over: another process drives this account`)
      if (lease.stopped !== null) throw new RestoredDatabaseError(lease.stopped)
      return work(client)
    })

/**
 * Takes the claim lock and keeps it to the end of the transaction: claims, and the release of waiting moves, follow each
 * other.
 */
export const lockClaims = async (client: PoolClient): Promise<void> => {
  await client.query('select from claim_lock for update')
}

/**
 * All that `read` asks is answered as of one moment, whatever is committed meanwhile: figures that are compared must
 * have been true together. Errors are the client's own, and a connection that had one is closed.
 */
export const inSnapshot = <T>(pool: Pool, read: (from: Queries) => Promise<T>): Promise<T> =>
  onConnection(pool, 'begin isolation level repeatable read read only', read, async () => false)

/** What was read, or null while the database cannot be reached: it may come back. */
export const ifReachable = async <T>(reading: Promise<T>): Promise<T | null> => {
  try {
    return await reading
  } catch (error) {
    if (asPortError(error) instanceof TransientError) return null
    throw error
  }
}
