/** The statements on the row of the lease, and the connection they go over. */
import { Client } from 'pg'
import { type Meet, sessionConfig, sessionNameOf, startSession } from '../session/session'

export type Acquired =
  | { readonly kind: 'acquired'; readonly epoch: bigint }
  /** `expiresInMs`: unless it is renewed or given back before. */
  | { readonly kind: 'taken'; readonly holder: string | null; readonly expiresInMs: number }

interface LeaseRow {
  readonly epoch: bigint
  readonly holder: string | null
  readonly expiresInMs: number
}

// It follows the clock, ms since 1970: a database that went back in time gives no epoch a second time, so that its next
// holder fences also those whom it has forgotten.
const nextEpoch = 'greatest(epoch + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)'
const newExpiry = `clock_timestamp() + $2 * interval '1 millisecond'`

// PostgreSQL before 17 cannot subtract from an infinite time.
const selectLease = `
  select epoch, holder, case when expires_at <= now() then 0
    else (extract(epoch from expires_at - now()) * 1000)::float8 end as "expiresInMs"
  from lease`

// The sessions of a frozen holder keep their locks, so they are ended. They are found by name: a list of them (the
// column `holder_backends`, no longer used) would lack the sessions opened since it was written.
const endSessions = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where application_name = $1 and datname = current_database() and pid <> pg_backend_pid()`

/**
 * Takes the lease if it has expired. Changing the epoch waits for transactions of the old holder; none of them
 * begins afterwards.
 */
export const tryAcquire = async (client: Client, holder: string, leaseMs: number): Promise<Acquired> => {
  const { rows } = await client.query<LeaseRow>(selectLease)
  const [lease] = rows
  if (lease === undefined) throw new Error('the lease has no row: run `device-move migrate`')
  if (lease.expiresInMs > 0) return { kind: 'taken', holder: lease.holder, expiresInMs: lease.expiresInMs }
  // This login may not be permitted to end sessions. Their own time limits end them then.
  if (lease.holder !== null && lease.holder !== holder)
    await client.query(endSessions, [sessionNameOf(lease.holder)]).catch(() => undefined)
  const { rows: taken } = await client.query<{ epoch: bigint }>(
    `update lease set epoch = ${nextEpoch}, expires_at = ${newExpiry}, holder = $3
     where epoch = $1 and expires_at <= now() returning epoch`,
    [lease.epoch, leaseMs, holder],
  )
  const epoch = taken[0]?.epoch
  return epoch === undefined
    ? { kind: 'taken', holder: null, expiresInMs: leaseMs }
    : { kind: 'acquired', epoch }
}

/**
 * Puts off the end of the lease. It touches no key, so it waits for no transaction. False: another process holds it, which
 * may have the same epoch where the database has lost the one of this process.
 */
export const renew = async (
  client: Client,
  { epoch, holder, leaseMs }: { readonly epoch: bigint; readonly holder: string; readonly leaseMs: number },
): Promise<boolean> => {
  const { rowCount } = await client.query(
    `update lease set expires_at = ${newExpiry} where epoch = $1 and holder = $3`,
    [epoch, leaseMs, holder],
  )
  return rowCount === 1
}

/** Lets the next holder take the lease at once and leave the sessions of this one alone. */
export const release = async (client: Client, epoch: bigint, holder: string): Promise<void> => {
  await client.query(
    `update lease set expires_at = '-infinity', holder = null where epoch = $1 and holder = $2`,
    [epoch, holder],
  )
}

/**
 * A connection for the lease alone, so that a busy pool cannot starve it. After `timeoutMs` without an answer the client
 * gives it up. The server gives a statement up at 80% of that time: otherwise a statement that was given up could still
 * get its lock, and take the lease for a process that does not know.
 */
export const connect = async (
  url: string,
  holder: string,
  timeoutMs: number,
  meet?: Meet,
): Promise<Client> => {
  const client = new Client({
    ...sessionConfig(url, {
      name: sessionNameOf(holder),
      statementMs: Math.ceil(timeoutMs * 0.8),
      answerMs: timeoutMs,
    }),
    connectionTimeoutMillis: timeoutMs,
  })
  // The next query fails, and its caller deals with the loss.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await startSession(client)
    await meet?.(client)
    return client
  } catch (error) {
    disconnect(client)
    throw error
  }
}

/** Closes the connection in any state, and does not wait for a server that may never answer. */
export const disconnect = (client: Client | null): void => {
  client?.end().catch(() => undefined)
}
