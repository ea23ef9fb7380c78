import type { PoolClient } from 'pg'
import type { BatchMove, Job, JobStatus } from '../../domain/job'
import { type RouteRow, routeColumns, routeOfRow } from '../route-rows'
import type { Queries } from '../session/transaction'

/** The row of a job that steps work on. */
export interface JobRow {
  readonly batchId: number
  readonly routeId: number
  readonly fromSeq: bigint
  readonly toSeq: bigint
  readonly status: JobStatus
  readonly providerJobId: string | null
  readonly refusals: number
  readonly releases: number
  /** The batch its family was split from; null if it was not split off. */
  readonly splitRoot: bigint | null
}

/** The job's row, locked to the end of the transaction. Throws when there is none. */
export const lockJob = async (client: PoolClient, batchId: number): Promise<JobRow> => {
  const { rows } = await client.query<JobRow>(
    `select job_id::float8 as "batchId", route_id as "routeId", from_seq as "fromSeq", to_seq as "toSeq", status,
            provider_job_id as "providerJobId", refusals, releases, family as "splitRoot"
     from job where job_id = $1 for no key update`,
    [batchId],
  )
  const [row] = rows
  if (row === undefined) throw new Error(`there is no job ${batchId}`)
  return row
}

/**
 * The moves of a job, in order: its range of the log without the positions left out. By `not in` they are one hash
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

const refusalsOfSplitRoot = async (from: Queries, family: bigint): Promise<number> => {
  const { rows } = await from.query<{ refusals: number }>(
    `select sum(refusals - inherited_refusals)::integer as refusals from job where family = $1 or job_id = $1`,
    [family],
  )
  return rows[0]?.refusals ?? 0
}

/** A job whole, as stored. */
export const loadJob = async (from: Queries, batchId: number): Promise<Job> => {
  const { rows } = await from.query<
    RouteRow & Omit<JobRow, 'batchId'> & Pick<Job, 'createStartedAt' | 'foundBy' | 'notOurs' | 'lastError'>
  >(
    `select j.route_id as "routeId", j.from_seq as "fromSeq", j.to_seq as "toSeq", j.status,
            j.provider_job_id as "providerJobId", j.found_by as "foundBy", j.not_ours as "notOurs", j.releases,
            j.last_error as "lastError", j.refusals, j.family as "splitRoot",
            (extract(epoch from j.create_started_at) * 1000)::float8 as "createStartedAt", ${routeColumns}
     from job j join route r using (route_id) where j.job_id = $1`,
    [batchId],
  )
  const [row] = rows
  if (row === undefined) throw new Error(`there is no job ${batchId}`)
  return {
    batchId,
    routeId: row.routeId,
    route: routeOfRow(row),
    status: row.status,
    providerJobId: row.providerJobId,
    foundBy: row.foundBy,
    notOurs: row.notOurs,
    releases: row.releases,
    createStartedAt: row.createStartedAt,
    lastError: row.lastError,
    refusals: row.refusals,
    splitRootRefusals: row.splitRoot === null ? row.refusals : await refusalsOfSplitRoot(from, row.splitRoot),
    moves: await movesOfJob(from, row),
  }
}
