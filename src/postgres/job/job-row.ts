/** The row of a job, its moves and what is kept with it: read, locked, bound to a JobId of the provider, dropped. */
import type { PoolClient } from 'pg'
import { codeOf } from '../../domain/error-text'
import type { BatchMove, Job, JobStatus, Search, SearchPart } from '../../domain/job'
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
  /** The batch that all its relatives were split from, and the one that it was; null if it was not split off. */
  readonly splitRoot: bigint | null
  readonly splitFrom: bigint | null
  /** What it is in a search; null: it is in none. */
  readonly part: SearchPart | null
  /** Its route is held because the provider refused it. */
  readonly isRouteRefused: boolean
}

const jobColumns = `job_id::float8 as "batchId", route_id as "routeId", from_seq as "fromSeq", to_seq as "toSeq", status,
  provider_job_id as "providerJobId", ended_as as "endedAs", parts, refusals, releases, family as "splitRoot",
  split_from as "splitFrom", search as part,
  (select held_at is not null and held_kind is not distinct from 'refused' from route r
   where r.route_id = job.route_id) as "isRouteRefused"`

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

/** The unsent batches that stem from the same split root as a job, without it, locked to the end of the transaction. */
export const lockClaimedOfFamily = async (client: PoolClient, job: JobRow): Promise<JobRow[]> => {
  const { rows } = await client.query<JobRow>(
    `select ${jobColumns} from job where family = $1 and status = 'claimed' and job_id <> $2
     order by job_id for no key update`,
    [job.splitRoot ?? job.batchId, job.batchId],
  )
  return rows
}

interface Family extends Omit<Search, 'part'> {
  readonly unknownRefusals: number
}

// A job found in List may be another's, so it proves nothing about the batch.
const selectFamily = `
  select sum(refusals - inherited_refusals)::integer as "unknownRefusals",
         max(devices) filter (where job_id = $1) as devices, (count(*) filter (where status = 'refused'))::integer as refusals,
         bool_or(provider_job_id is not null and found_by is null) as "hasAccepted",
         (count(*) filter (where search = 'drawn' and status in ('claimed', 'creating', 'unknown')))::integer as "drawnLeft"
  from job where family = $1 or job_id = $1`

const familyOf = async (from: Queries, splitRoot: bigint): Promise<Family> =>
  theOne((await from.query<Family>(selectFamily, [splitRoot])).rows, `batch ${splitRoot}`)

const searchOf = ({ unknownRefusals: _, ...search }: Family, part: SearchPart): Search => ({
  ...search,
  part,
})

type MoreColumns = Pick<Job, 'createStartedAt' | 'foundBy' | 'notOurs' | 'lastError'>

/** A job whole, as stored. Throws when there is none. */
export const loadJob = async (from: Queries, batchId: number): Promise<Job> => {
  const { rows } = await from.query<JobRow & MoreColumns>(
    `select ${jobColumns}, found_by as "foundBy", not_ours as "notOurs", last_error as "lastError",
            (extract(epoch from create_started_at) * 1000)::float8 as "createStartedAt"
     from job where job_id = $1`,
    [batchId],
  )
  const {
    fromSeq,
    toSeq,
    splitRoot,
    splitFrom: _from,
    part,
    isRouteRefused: _refused,
    endedAs: _endedAs,
    parts: _parts,
    ...job
  } = theOne(rows, `job ${batchId}`)
  const family = splitRoot === null ? null : await familyOf(from, splitRoot)
  const { rows: routes } = await from.query<RouteFields>(selectRoute, [job.routeId])
  return {
    ...job,
    route: theOne(routes, `route ${job.routeId}`),
    splitRootRefusals: family?.unknownRefusals ?? job.refusals,
    search: family === null || part === null ? null : searchOf(family, part),
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
