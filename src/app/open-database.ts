/** Waits for PostgreSQL, brings its schema up to date, and makes the adapters of the journal on it. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { TransientError } from '../ports/errors'
import type { RouteControl } from '../ports/journal'
import { createIntakeJournal } from '../postgres/intake/intake-journal'
import { createDriveJournal } from '../postgres/job/drive-journal'
import { createRouteControl } from '../postgres/job/route-hold'
import { createLease } from '../postgres/lease/postgres-lease'
import { createOutbox } from '../postgres/outbox/outbox'
import { createChanges } from '../postgres/session/changes'
import { checkSchema, migrate } from '../postgres/session/migrations'
import { createSeenMarks } from '../postgres/session/seen-marks'
import { createPool, holderName, sessionNameOf } from '../postgres/session/session'
import { createSoundness } from '../postgres/session/soundness'
import { noteCommits } from '../postgres/session/transaction'
import type { Logger } from '../telemetry/logger'
import type { Config } from './config'
import type { ServiceParts } from './service'
import { createStatusReads, type StatusReads } from './status-reads'

/** Connections in the pool: for a few partitions that append, the driver's steps, and the publisher. */
const poolSize = 12
const leaseMs = 10_000
const renewEveryMs = 3_000
const quotaWindowMs = 1_000
const retryEveryMs = 2_000

export interface Database {
  readonly parts: Pick<
    ServiceParts,
    'intakeJournal' | 'driveJournal' | 'outbox' | 'changes$' | 'lease' | 'soundness'
  >
  readonly routes: RouteControl
  /** For people, on connections of their own. */
  readonly reads: Omit<StatusReads, 'stop'>
  /** Resolves once the lease is given back and every connection is closed. */
  readonly stop: () => Promise<void>
}

export interface OpenOptions {
  readonly migrate: boolean
  readonly logger: Logger
  readonly isStopping: () => boolean
}

/** Repeats `step` while the database is out of reach, and logs that once. */
const whenReachable = async <T>(step: () => Promise<T>, { logger, isStopping }: OpenOptions): Promise<T> => {
  let said = false
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof TransientError) || isStopping()) throw error
      if (!said) logger.warn({ reason: error.message }, 'waiting for the database')
      said = true
      await pause(retryEveryMs)
    }
  }
}

export const openDatabase = async (config: Config, options: OpenOptions): Promise<Database> => {
  const { logger } = options
  const url = config.databaseUrl ?? ''
  if (options.migrate) {
    const { applied, advice } = await whenReachable(
      () => migrate(url, { log: text => logger.warn(text), isStopping: options.isStopping }),
      options,
    )
    if (applied.length > 0) logger.info({ applied }, 'migrated')
    if (advice.length > 0)
      logger.warn({ statements: advice }, 'an administrator of the database still has to run these')
  } else await whenReachable(() => checkSchema(url), options)
  const holder = holderName(hostname(), process.pid, randomBytes(6).toString('hex'))
  const name = sessionNameOf(holder)
  const onError = (error: Error): void =>
    logger.warn({ reason: error.message }, 'a database connection was lost')
  const seen = createSeenMarks()
  const soundness = createSoundness(url, seen, { name, onError })
  const { meet } = soundness
  const pool = createPool(url, { name, max: poolSize, onError, meet })
  noteCommits(pool, seen)
  const reads = createStatusReads(url, { name, onError, overdueFactor: config.jobOverdueFactor })
  const { batchMaxDevices, batchMaxWaitMs } = config
  const lease = createLease(url, { holder, leaseMs, renewEveryMs, quotaWindowMs, meet, seen })
  return {
    parts: {
      intakeJournal: createIntakeJournal(pool, seen),
      driveJournal: epoch => createDriveJournal(pool, epoch, { batchMaxDevices, batchMaxWaitMs }),
      outbox: createOutbox(pool),
      changes$: createChanges(url, { name }),
      lease,
      soundness,
    },
    routes: createRouteControl(pool),
    reads,
    stop: async () => {
      await lease.stop()
      await Promise.all([pool.end(), soundness.end(), reads.stop()])
    },
  }
}
