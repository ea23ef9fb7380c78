import type { Client } from 'pg'
import { applicationName } from './session'

export type Acquired =
  | { readonly kind: 'acquired'; readonly epoch: bigint }
  | { readonly kind: 'taken'; readonly holder: string | null }

interface LeaseRow {
  readonly epoch: bigint
  readonly holder: string | null
  readonly expired: boolean
}

const newExpiry = `clock_timestamp() + $2 * interval '1 millisecond'`

// A frozen holder's sessions keep their locks: end them. Only ours, and only those begun before the lease ended,
// since the numbers of processes come round again.
const endOldBackends = `
  select pg_terminate_backend(a.pid)
  from lease l
  join pg_stat_activity a on a.pid = any (l.holder_backends)
  where l.epoch = $1 and a.pid <> pg_backend_pid() and a.application_name = '${applicationName}'
    and a.backend_start < l.expires_at`

/**
 * Takes the lease if it has expired. Changing the epoch waits for transactions of the old holder; none of them
 * begins afterwards.
 */
export const tryAcquire = async (
  client: Client,
  holder: string,
  leaseMs: number,
  backends: readonly number[],
): Promise<Acquired> => {
  const { rows } = await client.query<LeaseRow>(
    'select epoch, holder, expires_at <= now() as expired from lease',
  )
  const [lease] = rows
  if (lease === undefined) throw new Error('the lease has no row: run `device-move migrate`')
  if (!lease.expired) return { kind: 'taken', holder: lease.holder }
  // Not permitted, perhaps: then their own time limits end them.
  await client.query(endOldBackends, [lease.epoch]).catch(() => undefined)
  const { rows: taken } = await client.query<{ epoch: bigint }>(
    `update lease set epoch = epoch + 1, expires_at = ${newExpiry}, holder = $3,
       holder_backends = array_prepend(pg_backend_pid(), $4::integer[])
     where epoch = $1 and expires_at <= now() returning epoch`,
    [lease.epoch, leaseMs, holder, backends],
  )
  const epoch = taken[0]?.epoch
  return epoch === undefined ? { kind: 'taken', holder: null } : { kind: 'acquired', epoch }
}

/** Puts the end of the lease off. Touches no key, so it waits for no transaction. False: it is another's. */
export const renew = async (
  client: Client,
  epoch: bigint,
  leaseMs: number,
  backends: readonly number[],
): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update lease set expires_at = ${newExpiry}, holder_backends = array_prepend(pg_backend_pid(), $3::integer[])
     where epoch = $1`,
    [epoch, leaseMs, backends],
  )
  return rowCount === 1
}

/** Lets the next one take it at once. */
export const release = async (client: Client, epoch: bigint): Promise<void> => {
  await client.query(`update lease set expires_at = '-infinity', holder_backends = '{}' where epoch = $1`, [
    epoch,
  ])
}
