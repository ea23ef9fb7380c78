/** Jobs with devices that no result file tells of: the oldest one, those of its moves, and the answers about devices. */
import type { PoolClient } from 'pg'
import type { BatchMove } from '../../domain/job'
import type { LookUp, UntoldJob } from '../../domain/look-up'
import type { Verdict } from '../../domain/outcome'
import type { RouteFields } from '../../domain/route'
import type { Queries } from '../session/transaction'
import { routeColumns, unfinished } from '../shared-sql'
import type { JobRow } from './job-row'
import { settleJob } from './store-settlement'

const selectNext = `
  select j.job_id::float8 as "batchId", j.releases, j.ended_as as ended, j.hold_untold as "holdUntold",
         (extract(epoch from j.create_started_at) * 1000)::float8 as "createStartedAt", ${routeColumns}
  from job j join route r using (route_id)
  where ${unfinished('j')} and j.status = 'looking-up' and j.held_at is null
  order by j.job_id limit 1`

/** The oldest job whose devices are to be looked up and that is not held. */
export const nextUntold = async (client: PoolClient): Promise<UntoldJob | null> => {
  const { rows } = await client.query<Omit<UntoldJob, 'route'> & RouteFields>(selectNext)
  const [row] = rows
  if (row === undefined) return null
  const { batchId, releases, ended, holdUntold, createStartedAt, ...route } = row
  return { batchId, releases, ended, holdUntold, createStartedAt, route }
}

// Each `not in` is one hash table over the range, and the device names of the answers another.
const selectOpen = `
  select m.seq, m.device_name as "deviceName", m.attempt
  from move m
  where m.route_id = $1 and m.seq between $2 and $3
    and m.seq not in (select l.seq from left_out l where l.route_id = $1 and l.seq between $2 and $3)
    and m.seq not in (select o.seq from outcome o where o.route_id = $1 and o.seq between $2 and $3)
  order by m.seq`

/** The moves of a job that have no outcome yet, in order. */
export const openMovesOfJob = async (
  from: Queries,
  { routeId, fromSeq, toSeq }: Pick<JobRow, 'routeId' | 'fromSeq' | 'toSeq'>,
): Promise<BatchMove[]> => (await from.query<BatchMove>(selectOpen, [routeId, fromSeq, toSeq])).rows

const selectUntold = `
  with untold as materialized (
    select m.seq, m.device_name, m.attempt
    from move m
    where m.route_id = $1 and m.seq between $2 and $3
      and m.seq not in (select l.seq from left_out l where l.route_id = $1 and l.seq between $2 and $3)
      and m.seq not in (select o.seq from outcome o where o.route_id = $1 and o.seq between $2 and $3)
      and m.device_name not in (select k.device_name from looked_up k where k.job_id = $4)
  ), first as (
    select device_name from untold group by device_name order by min(seq) limit $5
  )
  select seq, device_name as "deviceName", attempt from untold
  where device_name = any (array(select device_name from first))
  order by seq`

/** The open moves of the first devices of a job that were not looked up yet. */
export const untoldMoves = async (
  client: PoolClient,
  { routeId, fromSeq, toSeq, batchId }: JobRow,
  devices: number,
): Promise<readonly BatchMove[]> =>
  (await client.query<BatchMove>(selectUntold, [routeId, fromSeq, toSeq, batchId, devices])).rows

const insertLookUps = `
  insert into looked_up (job_id, device_name, answered_at, found, code)
  select $1, device_name, answered_at, found, code
  from unnest($2::text[], $3::bigint[], $4::jsonb[], $5::text[]) as t (device_name, answered_at, found, code)
  on conflict (job_id, device_name) do update
    set answered_at = excluded.answered_at, found = excluded.found, code = excluded.code`

/** Stores answers and the outcomes that follow from them. Returns how many moves are still open. */
export const settleLookedUp = async (
  client: PoolClient,
  job: JobRow,
  lookUps: readonly LookUp[],
  verdicts: readonly Verdict[],
): Promise<number> => {
  const { batchId, endedAs } = job
  if (endedAs === null) throw new Error(`job ${batchId} is ${job.status}, but it is not stored how it ended`)
  if (lookUps.length > 0)
    await client.query(insertLookUps, [
      batchId,
      lookUps.map(({ deviceName }) => deviceName),
      lookUps.map(({ answeredAt }) => Math.round(answeredAt)),
      lookUps.map(({ found }) => (found === null ? null : JSON.stringify(found))),
      lookUps.map(({ code }) => code),
    ])
  return settleJob(client, job, verdicts, { as: endedAs, mayLeave: true, byLookUp: true })
}

/** Forgets the answers about devices that stay untold, so that these are looked up once more. */
export const forgetUntold = async (client: PoolClient, job: JobRow): Promise<void> => {
  const open = await openMovesOfJob(client, job)
  await client.query('delete from looked_up where job_id = $1 and device_name = any($2::text[])', [
    job.batchId,
    open.map(({ deviceName }) => deviceName),
  ])
}

/** The latest answer about each device of a job, the oldest first. */
export const lookUpsOf = async (from: Queries, batchId: number): Promise<readonly LookUp[]> => {
  // Only the driver's journal writes these tables, so what they hold are look-ups.
  const { rows } = await from.query<LookUp>(
    `select device_name as "deviceName", answered_at::float8 as "answeredAt", found, code
     from looked_up where job_id = $1 order by answered_at, device_name`,
    [batchId],
  )
  const { rows: before } = await from.query<{ answers: readonly LookUp[] }>(
    'select answers from look_up where job_id = $1',
    [batchId],
  )
  return [...(before[0]?.answers ?? []), ...rows]
}
