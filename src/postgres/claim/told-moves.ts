/**
 * Moves of a claimed range that a restored database has forgotten to have sent: the result file of a forgotten job tells
 * of them. They are settled with that at once, and not sent.
 */
import type { PoolClient } from 'pg'
import {
  type ForgottenResult,
  type PendingMove,
  type ToldMove,
  tellMoves,
  toldVerdicts,
} from '../../domain/forgotten'
import { type JobRow, lockJob } from '../job/job-row'
import { settleJob } from '../job/store-settlement'
import { looksLikeForgotten, moveColumns, moveColumnsOf } from '../shared-sql'

// Every move of the range that any forgotten job names, with what each job says. `offset 0` makes one look-up a device. A job
// that a batch has adopted may still be another's, until the batch is settled by its file.
const selectResults = `
  with names as materialized (
    select distinct device_name from move where route_id = $1 and seq between $2 and $3
  )
  select t.device_name as "deviceName", t.provider_job_id as "providerJobId", t.code, t.message, t.used as "isUsed",
         (extract(epoch from f.provider_created_at) * 1000)::float8 as "createdAt"
  from route r cross join names n
  cross join lateral (
    select * from forgotten_result x
    where x.product_key = r.product_key and x.device_name = n.device_name offset 0
  ) t
  join forgotten_job f using (provider_job_id)
  where r.route_id = $1 and f.status <> 'open' and ${looksLikeForgotten('f', 'r')}
    and not exists (select from job j
                    where j.provider_job_id = t.provider_job_id and j.status in ('settled', 'looking-up'))`

const selectPending = `
  select seq, accepted as "acceptedOrder", device_name as "deviceName", attempt,
         (extract(epoch from coalesce(recorded_at, requested_at)) * 1000)::float8 as "recordedAt"
  from move where route_id = $1 and seq between $2 and $3 and seq = any($4::bigint[])`

/** Those of the moves that would be sent (`seqs`) of which a forgotten job tells. */
export const findTold = async (
  client: PoolClient,
  { routeId, fromSeq, toSeq }: Pick<JobRow, 'routeId' | 'fromSeq' | 'toSeq'>,
  seqs: readonly bigint[],
): Promise<readonly ToldMove[]> => {
  const range = [routeId, fromSeq, toSeq]
  const { rows: results } = await client.query<ForgottenResult>(selectResults, range)
  if (results.length === 0) return []
  const { rows: moves } = await client.query<PendingMove>(selectPending, [...range, seqs])
  return tellMoves(moves, results)
}

// They are due at once, and are claimed again without those that are told now.
const putBack = `
  with back as (
    insert into left_out (route_id, seq, reason) select $1, seq, 'waiting' from unnest($2::bigint[]) as t (seq)
  )
  insert into requeue (route_id, attempt, due_at, ${moveColumns})
  select m.route_id, m.attempt, now(), ${moveColumnsOf('m')}
  from move m where m.route_id = $1 and m.seq between $3 and $4 and m.seq = any($2::bigint[]) order by m.seq`

/** Takes claimed positions out of their range. Their moves are due at once. */
export const giveBack = async (
  client: PoolClient,
  routeId: number,
  seqs: readonly bigint[],
): Promise<void> => {
  if (seqs.length > 0) await client.query(putBack, [routeId, seqs, seqs[0], seqs.at(-1)])
}

const setToldBy = `
  update outcome o set told_by = t.told_by
  from unnest($2::bigint[], $3::text[]) as t (seq, told_by)
  where o.route_id = $1 and o.seq = t.seq`

const setUsed = `
  update forgotten_result x set used = true
  from route r, unnest($2::text[], $3::text[]) as t (device_name, provider_job_id)
  where r.route_id = $1 and x.product_key = r.product_key and x.device_name = t.device_name
    and x.provider_job_id = t.provider_job_id`

// What an older job says of the device is over, whatever its route.
const deleteOlder = `
  delete from forgotten_result x
  using route r, unnest($2::text[], $3::float8[]) as t (device_name, created_at), forgotten_job f
  where r.route_id = $1 and x.product_key = r.product_key and x.device_name = t.device_name
    and f.provider_job_id = x.provider_job_id and f.provider_created_at < to_timestamp(t.created_at / 1000)`

/**
 * Settles a claimed batch whose moves are all told, in the caller's transaction. `untold` are the other positions of its
 * range, which would have been sent.
 */
export const settleTold = async (
  client: PoolClient,
  batchId: number,
  { told, untold, maxAttempts }: ToldBatch,
): Promise<void> => {
  const job = await lockJob(client, batchId)
  await giveBack(client, job.routeId, untold)
  await settleJob(client, job, toldVerdicts(told, maxAttempts), { as: 'completed', mayLeave: false })
  const seqs = told.map(({ move }) => move.seq)
  const names = told.map(({ by }) => by.deviceName)
  const ids = told.map(({ by }) => by.providerJobId)
  await client.query(setToldBy, [job.routeId, seqs, ids])
  await client.query(setUsed, [job.routeId, names, ids])
  await client.query(deleteOlder, [job.routeId, names, told.map(({ by }) => by.createdAt)])
}

export interface ToldBatch {
  /** At least one. */
  readonly told: readonly ToldMove[]
  readonly untold: readonly bigint[]
  /** Attempts of a move at most, the first included. */
  readonly maxAttempts: number
}

// A device is sent anew: that it had moved before tells no later request of it.
const deleteUsed = `
  delete from forgotten_result x
  using route r
  where r.route_id = $1 and x.product_key = r.product_key and x.device_name = any($2::text[]) and x.used`

// Requests from before the restore have long come again after this time.
const deleteOld = `
  with old as (
    delete from forgotten_job where ended_at < now() - interval '30 days' returning provider_job_id
  )
  delete from forgotten_result where provider_job_id in (select provider_job_id from old)`

/** Forgets what can tell no move any longer, once these devices are sent. */
export const dropTold = async (
  client: PoolClient,
  routeId: number,
  deviceNames: readonly string[],
): Promise<void> => {
  await client.query(deleteUsed, [routeId, deviceNames])
  await client.query(deleteOld)
}
