/** What `status` prints and `/api/status` answers: how the work stands, and why nothing is moving when nothing is. */
import type { DatabaseStatus } from '../postgres/status/read-status'
import { databaseReasons } from './database-reasons'
import { processReasons } from './process-reasons'
import type { ProcessStatus } from './readiness'

/** What was read of the database for people, and how old it is. */
export interface StatusReading {
  /** null: nothing could be read. */
  readonly database: DatabaseStatus | null
  /** Time since it was read, ms; null without it. */
  readonly ageMs: number | null
  /** Why it is old, or missing, for people; null when it is as it should be. */
  readonly problem: string | null
}

export const unreachable: StatusReading = {
  database: null,
  ageMs: null,
  problem: 'the database does not answer',
}

/** What somebody has read alone, just now. */
export const readNow = (database: DatabaseStatus | null): StatusReading =>
  database === null ? unreachable : { database, ageMs: 0, problem: null }

export interface Status {
  readonly at: string
  /** When `database` was read. Readers share one read, which may be some seconds old; null without it. */
  readonly asOf: string | null
  /** `at` minus `asOf`, ms. */
  readonly ageMs: number | null
  /** Jobs without a problem are open, or being created or settled; a process drives, and the provider answers. */
  readonly moving: boolean
  /** Why nothing is moving, or not everything that could. Empty when all is well, or nothing waits. */
  readonly because: readonly string[]
  /** null: the database does not answer, or too slowly. */
  readonly database: DatabaseStatus | null
  /** null: no service answered. */
  readonly process: ProcessStatus | null
}

export const statusOf = (
  at: Date,
  { database, ageMs, problem }: StatusReading,
  process: ProcessStatus | null,
): Status => {
  const open = database === null ? 0 : Object.values(database.openJobs).reduce((sum, count) => sum + count, 0)
  const stuck =
    database === null
      ? 0
      : database.heldJobs.length + database.troubledJobs.length + database.overdueJobs.length
  const isDriven =
    (database?.lease.holder ?? null) !== null &&
    process?.flows.drive.state !== 'stopped' &&
    (process?.provider ?? null) === null
  const moving = open > stuck && isDriven
  const because = [
    ...(problem === null ? [] : [problem]),
    ...(process === null ? [] : processReasons(process)),
    ...(database === null ? [] : databaseReasons(database)),
  ]
  return {
    at: at.toISOString(),
    asOf: ageMs === null ? null : new Date(at.getTime() - ageMs).toISOString(),
    ageMs,
    moving,
    // All flows name the same problem when the database was restored, and it is listed once.
    because: [...new Set(because)],
    database,
    process,
  }
}
