/** What an operator decides about jobs that a restored database has forgotten and whose results cannot be had. */
import type { Pool } from 'pg'
import type { Observable } from 'rxjs'
import { inTransaction } from '../session/transaction'
import { notifyChange } from '../shared-sql'

/** `absent`: what is not told of its devices is taken for not sent. `again`: its results are asked for once more. */
export type ForgottenResolution = 'absent' | 'again'

const notify = `select ${notifyChange}`

/** Emits the number of devices of the job; null when there is no such job, or it is not held. */
export const resolveForgotten = (
  pool: Pool,
  providerJobId: string,
  resolution: ForgottenResolution,
): Observable<number | null> =>
  inTransaction(pool, async client => {
    const { rows } = await client.query<{ devices: number }>(
      `update forgotten_job
       set held_reason = null, status = case when $2 then 'given-up' else status end,
           ended_at = case when $2 then now() end
       where provider_job_id = $1 and status = 'open' and held_reason is not null
       returning total as devices`,
      [providerJobId, resolution === 'absent'],
    )
    await client.query(notify)
    return rows[0]?.devices ?? null
  })

/** Goes on without a list of the provider's jobs. Emits whether anything waited for it. */
export const goOnUnlisted = (pool: Pool): Observable<boolean> =>
  inTransaction(pool, async client => {
    const { rowCount } = await client.query(
      'update accepted_restore set jobs_listed_at = now() where jobs_listed_at is null',
    )
    await client.query(notify)
    return (rowCount ?? 0) > 0
  })
