/** Makes sessions of the journal wait for each other at a known point. */
import type { Pool } from '../../src/postgres/session/session'
import { until } from './until'

/** Resolves with the process ids once this many sessions wait for a lock with a statement like `pattern`. */
export const sessionsWaiting = async (pool: Pool, pattern: string, count = 1): Promise<readonly number[]> => {
  let pids: readonly number[] = []
  await until(async () => {
    // The query runs outside a transaction, in which it would see the same list of sessions for ever.
    const { rows } = await pool.query<{ pid: number }>(
      `select pid from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
      [pattern],
    )
    pids = rows.map(row => row.pid)
    return pids.length >= count
  })
  return pids
}

/** Holds what the statement `lock` locks during `work`, or until `work` releases it. */
export const whileLocked = async <T>(
  pool: Pool,
  lock: string,
  work: (release: () => Promise<void>) => Promise<T>,
): Promise<T> => {
  const session = await pool.connect()
  try {
    // The service's sessions may idle in a transaction for 5 s only; this one may hold its lock longer.
    await session.query('begin; set local idle_in_transaction_session_timeout = 0')
    await session.query(lock)
    return await work(async () => {
      await session.query('rollback')
    })
  } finally {
    // Closing the session ends its transaction, so that what waits for the lock goes on even when the test has failed.
    session.release(true)
  }
}
