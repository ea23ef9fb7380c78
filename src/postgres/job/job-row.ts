/** The row of a job, its moves and what is kept with it: read, locked, bound to a JobId of the provider, dropped. */
import type { PoolClient } from 'pg'
import { codeOf } from '../../domain/error-text'
import type { BatchMove, Job, JobStatus } from '../../domain/job'
import type { RouteFields } from '../../domain/route'
import type { Queries } from '../session/transaction'
import { routeColumns } from '../shared-sql'

/** The row of a job that steps work on. */
export interface JobRow {
  readonly batchId: number
  readonly routeId: number
  readonly fromSeq: bigint
  readonly toSeq: bigint
  readonly status: JobStatus
  readonly providerJobId: string | null
  /** How it ended; null: nothing of it is settled. */
  readonly endedAs: 'completed' | 'interrupted' | 'refused' | 'abandoned' | null
  /** Number of the last part that is settled; 0: it is not settled, or was at once. */
  readonly parts: number
  readonly refusals: number
  readonly releases: number
  /** The batch that all its relatives were split from; null if it was not split off. */
  readonly splitRoot: bigint | null
}

const jobColumns = `job_id::float8 as "batchId", route_id as "routeId", from_seq as "fromSeq", to_seq as "toSeq", status,
  provider_job_id as "providerJobId", ended_as as "endedAs", parts, refusals, releases, family as "splitRoot"`

const selectRoute = `select ${routeColumns} from route r where r.route_id = $1`

const theOne = <Row>(rows: readonly Row[], what: string): Row => {
  const [row] = rows
  if (row === undefined) throw new Error(`there is no ${what}`)
  return row
}

/** The job's row, locked to the end of the transaction. Throws when there is none. */
export const lockJob = async (client: PoolClient, batchId: number): Promise<JobRow> => {
  const { rows } = await client.query<JobRow>(
    `select ${jobColumns} from job where job_id = $1 for no key update`,
    [batchId],
  )
  return theOne(rows, `job ${batchId}`)
}

/**
 * The moves of a job, in order: its range of the log without the positions left out. With `not in` these are one hash
 * table; with `not exists` the planner, without statistics, went through all of them for each move.
 */
export const movesOfJob = async (
  from: Queries,
  { routeId, fromSeq, toSeq }: Pick<JobRow, 'routeId' | 'fromSeq' | 'toSeq'>,
): Promise<BatchMove[]> => {
  const { rows } = await from.query<BatchMove>(
    `select m.seq, m.device_name as "deviceName", m.attempt
     from move m
     where m.route_id = $1 and m.seq between $2 and $3
       and m.seq not in (select l.seq from left_out l where l.route_id = $1 and l.seq between $2 and $3)
     order by m.seq`,
    [routeId, fromSeq, toSeq],
  )
  return rows
}

const refusalsOfSplitRoot = async (from: Queries, splitRoot: bigint): Promise<number> => {
  const { rows } = await from.query<{ refusals: number }>(
    `select sum(refusals - inherited_refusals)::integer as refusals from job where family = $1 or job_id = $1`,
    [splitRoot],
  )
  return rows[0]?.refusals ?? 0
}

type MoreColumns = Pick<Job, 'createStartedAt' | 'foundBy' | 'notOurs' | 'lastError'>

/** A job whole, as stored. Throws when there is none. */
export const loadJob = async (from: Queries, batchId: number): Promise<Job> => {
  const { rows } = await from.query<JobRow & MoreColumns>(
    `select ${jobColumns}, found_by as "foundBy", not_ours as "notOurs", last_error as "lastError",
            (extract(epoch from create_started_at) * 1000)::float8 as "createStartedAt"
     from job where job_id = $1`,
    [batchId],
  )
  const { fromSeq, toSeq, splitRoot, endedAs: _, parts: __, ...job } = theOne(rows, `job ${batchId}`)
  const { rows: routes } = await from.query<RouteFields>(selectRoute, [job.routeId])
  return {
    ...job,
    route: theOne(routes, `route ${job.routeId}`),
    splitRootRefusals: splitRoot === null ? job.refusals : await refusalsOfSplitRoot(from, splitRoot),
    moves: await movesOfJob(from, { routeId: job.routeId, fromSeq, toSeq }),
  }
}

const uniqueViolation = '23505'

/**
 * → running, under the provider's JobId. False, with nothing done, if another job has that JobId, or takes it at this very
 * moment.
 */
export const bindProviderJob = async (
  client: PoolClient,
  batchId: number,
  providerJobId: string,
  foundBy: Job['foundBy'],
): Promise<boolean> => {
  await client.query('savepoint bind')
  try {
    await client.query(
      `update job set status = 'running', provider_job_id = $2, found_by = $3, clashes_with = null, created_at = now(),
                      finished_at = null, last_error = null where job_id = $1`,
      [batchId, providerJobId, foundBy],
    )
    return true
  } catch (error) {
    if (codeOf(error) !== uniqueViolation) throw error
    await client.query('rollback to savepoint bind')
    return false
  }
}

/** Drops the files that are kept of a job at the provider, because that job is another's or is taken for one. */
export const dropFiles = async (client: PoolClient, batchId: number): Promise<void> => {
  await client.query('delete from result_file where job_id = $1', [batchId])
}

/** Mean time from create to end of the newest 50 jobs, ms; null before the first. */
export const readMeanJobMs = async (from: Queries): Promise<number | null> => {
  const { rows } = await from.query<{ ms: number | null }>(
    `select (avg(extract(epoch from finished_at - created_at)) * 1000)::float8 as ms
     from (select finished_at, created_at from job where finished_at is not null order by job_id desc limit 50) n`,
  )
  return rows[0]?.ms ?? null
}
