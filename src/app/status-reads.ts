/**
 * What is read of the database for people: the status, and whether it answers. These reads have a few connections of their
 * own, and all who ask share one read, so that the work is not slowed by how many look.
 */
import { catchError, defer, firstValueFrom } from 'rxjs'
import { codeOf, messageOf } from '../domain/error-text'
import { type StatusReading, unreachable } from '../health/status'
import { type Answer, createRecentRead, type Recent } from '../operators/recent-read'
import { TransientError } from '../ports/errors'
import { createAnswers, createPool } from '../postgres/session/session'
import { asPortError } from '../postgres/session/transaction'
import { type DatabaseStatus, readDatabaseStatus, type StatusOptions } from '../postgres/status/read-status'
import type { ReadFigures } from '../telemetry/database-metrics'

/** One connection reads the status, and the other shows that the server answers while that takes long. */
const poolSize = 2
/** The server gives up a statement of the status after this time. */
const statementMs = 10_000
/** A read that takes 30 ms serves for 0.6 s, so that reads use a twentieth of one connection. */
const sharing = { keepFactor: 20, keepMostMs: 10_000, patienceMs: 1_000, firstPatienceMs: 5_000 }

export interface StatusReads {
  /** Never rejects. An answer may be some seconds old, and says so. */
  readonly status: () => Promise<StatusReading>
  /** What the metrics show of the same read; null while nothing could be read. */
  readonly figures: ReadFigures
  /** Whether the database answers within 3 s, however long the status takes to be read. */
  readonly answers: () => Promise<boolean>
  readonly stop: () => Promise<void>
}

export interface StatusReadsOptions extends StatusOptions {
  /** The name of the sessions. */
  readonly name: string
  readonly onError: (error: Error) => void
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** The server has given the statement up for its length, and was there to do so. */
const isTooLong = (error: unknown): boolean =>
  error instanceof TransientError && codeOf(error.cause) === '57014'

const slowly = (last: Answer<DatabaseStatus> | null, what: string): StatusReading => ({
  database: last?.value ?? null,
  ageMs: last?.ageMs ?? null,
  problem:
    last === null
      ? `the database answers, but slowly: ${what}, so nothing is known of it yet`
      : `the database answers, but slowly: ${what}, so its figures are those of ${seconds(last.ageMs)} ago`,
})

/** `answers`: asked only where a read takes long, to tell a slow database from one that is away. */
const readingOf = async (
  recent: Recent<DatabaseStatus>,
  answers: () => Promise<boolean>,
): Promise<StatusReading> => {
  switch (recent.kind) {
    case 'recent':
      return { database: recent.last.value, ageMs: recent.last.ageMs, problem: null }
    case 'late':
      return (await answers())
        ? slowly(recent.last, `the status has been read for ${seconds(recent.forMs)}`)
        : unreachable
    case 'failed': {
      const { error, last } = recent
      if (isTooLong(error))
        return slowly(last, `reading the status was given up after ${seconds(statementMs)}`)
      return error instanceof TransientError
        ? unreachable
        : { ...unreachable, problem: `the status cannot be read: ${messageOf(error)}` }
    }
  }
}

export const createStatusReads = (
  url: string,
  { name, onError, ...options }: StatusReadsOptions,
): StatusReads => {
  const pool = createPool(url, { name, max: poolSize, statementMs, onError })
  const answers = createAnswers(pool)
  const recent$ = createRecentRead(
    defer(() => readDatabaseStatus(pool, options)).pipe(
      catchError((error: unknown) => {
        throw asPortError(error)
      }),
    ),
    sharing,
  )
  const status = async (): Promise<StatusReading> => readingOf(await firstValueFrom(recent$), answers)
  return {
    status,
    figures: async () => {
      const { database, ageMs } = await status()
      if (database === null) return null
      const { moves, overdueJobs, lookUps, lostRecords } = database
      return {
        ageMs: ageMs ?? 0,
        moves,
        overdueJobs: overdueJobs.length,
        lookUpMoves: lookUps?.moves ?? 0,
        lostRecords: lostRecords.reduce((sum, { records }) => sum + records, 0),
      }
    },
    answers,
    stop: () => pool.end(),
  }
}
