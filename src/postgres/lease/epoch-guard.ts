import type { Pool, PoolClient } from 'pg'
import type { Observable } from 'rxjs'
import { LeaseLostError } from '../../ports/errors'
import { inTransaction } from '../session/transaction'

/** Runs work of the driver in a transaction that only the holder of the lease can commit. */
export type Guarded = <T>(work: (client: PoolClient) => Promise<T>) => Observable<T>

/**
 * Every transaction first shares the lease's key: a take-over changes that key, so it waits for those under way,
 * and none begins after it. Throws `LeaseLostError` when the lease has another epoch.
 */
export const createGuard =
  (pool: Pool, epoch: bigint): Guarded =>
  work =>
    inTransaction(pool, async client => {
      const { rowCount } = await client.query('select from lease where epoch = $1 for key share', [epoch])
      if (rowCount !== 1)
        throw new LeaseLostError(`epoch ${epoch} is over: another process drives this account`)
      return work(client)
    })

/** Claims, and the release of waiting moves, follow each other. Held to the end of the transaction. */
export const lockClaims = async (client: PoolClient): Promise<void> => {
  await client.query('select from claim_lock for update')
}
