/**
 * Applies one migration without making others wait.
 *
 * A session that waits for an exclusive lock lets every later session queue behind it. Behind an analyst's long transaction
 * intake, claims and settlements would stand still. So a wait for a lock is given up after a second, and tried again after
 * a pause in which the queue runs off. An index that is built concurrently waits as long as it has to: it holds no lock
 * that a read or a write would wait for.
 */
import type { Client, ClientConfig } from 'pg'
import { codeOf } from '../../domain/error-text'
import { retryDelayMs } from '../../domain/retry-policy'
import { TransientError } from '../../ports/errors'
import { sayingBlockers } from './lock-waits'
import type { Migration } from './migration-files'

export interface Patience {
  /** Says what a migration waits for. */
  readonly log: (line: string) => void
  readonly pause: (ms: number) => Promise<unknown>
  /** Gives a number from 0 up to 1. */
  readonly random: () => number
  /** The wait is given up once this is true. */
  readonly isStopping: () => boolean
}

export interface MigrationSession extends Patience {
  readonly client: Client
  /** How to open a second connection, which looks at what the first waits for. */
  readonly config: ClientConfig
  readonly pid: number
}

const pauses = { backoffMs: 500, backoffMaxMs: 10_000 }

/** Pauses after try number `tries`. Throws when the process is stopping. */
export const pauseBetween = async (
  { pause, random, isStopping }: Patience,
  tries: number,
  what: string,
): Promise<void> => {
  if (!isStopping()) await pause(retryDelayMs(tries, random(), pauses))
  if (isStopping()) throw new TransientError(`${what} was given up, since the process is stopping`)
}

/** Lock not available in time, deadlock, serialisation failure: nothing was done, and it may be run again. */
const runAgain = new Set(['55P03', '40P01', '40001'])

/** Runs `work` again and again until no lock is in its way. Says meanwhile which sessions hold the locks. */
const untilUnlocked = async <T>(
  session: MigrationSession,
  what: string,
  work: () => Promise<T>,
): Promise<T> => {
  const { client, config, pid, log } = session
  for (let tries = 1; ; tries += 1) {
    try {
      return await sayingBlockers(config, pid, blockers => log(`${what} waits for ${blockers}`), work)
    } catch (error) {
      if (!runAgain.has(codeOf(error) ?? '')) throw error
      await client.query('rollback')
      await pauseBetween(session, tries, what)
    }
  }
}

/** Runs `work` in a transaction that waits at most a second for each lock. */
export const inShortTransaction = <T>(
  session: MigrationSession,
  what: string,
  work: () => Promise<T>,
): Promise<T> =>
  untilUnlocked(session, what, async () => {
    await session.client.query(`begin; set local lock_timeout = '1s'`)
    const result = await work()
    await session.client.query('commit')
    return result
  })

const insertApplied = `insert into device_move_journal.migration (name, run_on, requires) values ($1, now(), $2)`

const storeApplied = async ({ client }: MigrationSession, { name, requires }: Migration): Promise<void> => {
  await client.query(insertApplied, [name, requires])
}

const indexBuilt = /\bcreate\s+(?:unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+(\w+)/i

/** A build that was interrupted leaves an index that is not used and costs writes. */
const dropInvalidIndex = async ({ client }: MigrationSession, sql: string): Promise<void> => {
  const { rows } = await client.query<{ statement: string }>(
    `select format('drop index concurrently %s', indexrelid::regclass) as statement
     from pg_index where indexrelid = to_regclass($1) and not indisvalid`,
    [`device_move_journal.${indexBuilt.exec(sql)?.[1] ?? ''}`],
  )
  for (const { statement } of rows) await client.query(statement)
}

const outside = async (session: MigrationSession, migration: Migration): Promise<void> => {
  const { sql } = migration
  await untilUnlocked(session, migration.name, async () => {
    await dropInvalidIndex(session, sql)
    await session.client.query(sql)
  })
  await storeApplied(session, migration)
}

const selectPosition = 'select position from device_move_journal.migration_progress where name = $1'
const storePosition = `
  insert into device_move_journal.migration_progress (name, position) values ($1, $2)
  on conflict (name) do update set position = excluded.position`
const dropPosition = 'delete from device_move_journal.migration_progress where name = $1'

/** One step; false once there is none left. */
const step = async (session: MigrationSession, migration: Migration): Promise<boolean> => {
  const { client } = session
  const { name, sql } = migration
  const { rows: reached } = await client.query<{ position: string }>(selectPosition, [name])
  const { rows } = await client.query<{ position: unknown }>(sql, [reached[0]?.position ?? null])
  const position = rows[0]?.position ?? null
  if (position !== null) {
    await client.query(storePosition, [name, String(position)])
    return true
  }
  await client.query(dropPosition, [name])
  await storeApplied(session, migration)
  return false
}

export const applyMigration = async (session: MigrationSession, migration: Migration): Promise<void> => {
  const { name, sql, form } = migration
  if (form === 'outside') return outside(session, migration)
  if (form === 'steps') {
    while (await inShortTransaction(session, name, () => step(session, migration)))
      if (session.isStopping())
        throw new TransientError(`${name} was interrupted, since the process is stopping`)
    return
  }
  await inShortTransaction(session, name, async () => {
    await session.client.query(sql)
    await storeApplied(session, migration)
  })
}
