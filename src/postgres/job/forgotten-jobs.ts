/** Listed jobs that a restored database does not know: stored when they are listed, and when their files are read. */
import type { PoolClient } from 'pg'
import type { DeviceResult } from '../../domain/device-results'
import { type ForgottenJob, lateJobs } from '../../domain/forgotten'
import type { ForgottenJournal, UnlistedRestore } from '../../ports/forgotten-journal'
import type { Guarded } from '../session/transaction'
import { looksLikeForgotten, notifyChange } from '../shared-sql'

// The newest one is enough: whoever lists the jobs for it has listed them for those before.
const selectUnlisted = `
  select restore_id as "restoreId", (extract(epoch from now() - accepted_at) * 1000)::float8 as "acceptedAgoMs",
         (select extract(epoch from created_at) * 1000 from job
          where created_at is not null and provider_job_id is not null
          order by job_id desc offset $1 limit 1)::float8 as "knownAt"
  from accepted_restore where jobs_listed_at is null order by restore_id desc limit 1`

// One that a batch has adopted meanwhile is left to that batch, and is ours for good once the batch is settled.
const closeOwn = `
  update forgotten_job f set status = 'read', ended_at = now(), held_reason = null
  from job j where f.status = 'open' and j.provider_job_id = f.provider_job_id and j.status = 'settled'`

const selectOpen = `
  select f.provider_job_id as "providerJobId", f.product_key as "productKey",
         f.source_instance_id as "sourceInstanceId", f.strategy, f.target_instance_ids as "targetInstanceIds",
         f.target_uid as "targetUid", f.total, f.provider_status as status,
         (extract(epoch from f.provider_created_at) * 1000)::float8 as "createdAt"
  from forgotten_job f
  where f.status = 'open' and f.held_reason is null
    and exists (select from route r where ${looksLikeForgotten('f', 'r')})
    and not exists (select from job j where j.provider_job_id = f.provider_job_id)
  order by f.provider_created_at, f.provider_job_id`

// Lists of different lengths fit no two-dimensional array, so each list of targets travels as JSON.
const insertListed = `
  insert into forgotten_job (provider_job_id, product_key, source_instance_id, strategy, target_instance_ids, target_uid,
                             total, provider_status, provider_created_at)
  select t.id, t.product_key, t.source, t.strategy, array(select json_array_elements_text(t.targets::json)), t.uid,
         t.total, t.status, to_timestamp(t.created_at / 1000)
  from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::integer[], $8::smallint[],
              $9::float8[]) as t (id, product_key, source, strategy, targets, uid, total, status, created_at)
  where not exists (select from job j where j.provider_job_id = t.id)
  on conflict do nothing`

const insertResults = `
  insert into forgotten_result (product_key, device_name, provider_job_id, code, message)
  select $1, t.device_name, $2, t.code, t.message
  from unnest($3::text[], $4::text[], $5::text[]) as t (device_name, code, message)
  on conflict (product_key, device_name, provider_job_id) do update
    set code = excluded.code, message = excluded.message where not forgotten_result.used`

const notify = `select ${notifyChange}`

const keepListed = async (
  client: PoolClient,
  restoreId: number,
  listed: readonly ForgottenJob[],
): Promise<number> => {
  const { rowCount } = await client.query(insertListed, [
    listed.map(job => job.providerJobId),
    listed.map(job => job.productKey),
    listed.map(job => job.sourceInstanceId),
    listed.map(job => job.strategy),
    listed.map(job => JSON.stringify(job.targetInstanceIds)),
    listed.map(job => job.targetUid),
    listed.map(job => job.total),
    listed.map(job => job.status),
    listed.map(job => job.createdAt),
  ])
  await client.query(
    `update accepted_restore set jobs_listed_at = now(), list_error = null
     where restore_id <= $1 and jobs_listed_at is null`,
    [restoreId],
  )
  await client.query(notify)
  return rowCount ?? 0
}

const keepResults = async (
  client: PoolClient,
  { productKey, providerJobId }: ForgottenJob,
  rows: ReadonlyMap<string, DeviceResult>,
): Promise<void> => {
  const results = [...rows.values()]
  await client.query(insertResults, [
    productKey,
    providerJobId,
    [...rows.keys()],
    results.map(({ code }) => code),
    results.map(({ message }) => message),
  ])
}

export const createForgottenSteps = (guarded: Guarded): ForgottenJournal => ({
  forgotten: () =>
    guarded(async client => {
      await client.query(closeOwn)
      const unlisted = await client.query<UnlistedRestore>(selectUnlisted, [lateJobs])
      const open = await client.query<ForgottenJob>(selectOpen)
      return { unlisted: unlisted.rows[0] ?? null, jobs: open.rows }
    }),
  keepListed: (restoreId, listed) => guarded(client => keepListed(client, restoreId, listed)),
  setListError: (restoreId, why) =>
    guarded(async client => {
      await client.query(
        `update accepted_restore set list_error = $2
         where restore_id <= $1 and jobs_listed_at is null and list_error is distinct from $2`,
        [restoreId, why],
      )
    }),
  keepForgotten: (job, rows) =>
    guarded(async client => {
      await keepResults(client, job, rows)
      await client.query(
        `update forgotten_job set status = 'read', ended_at = now(), held_reason = null
         where provider_job_id = $1 and status = 'open'`,
        [job.providerJobId],
      )
      await client.query(notify)
    }),
  givenUp: providerJobIds =>
    guarded(async client => {
      const { rows } = await client.query<{ id: string }>(
        `select provider_job_id as id from forgotten_job
         where provider_job_id = any($1::text[]) and status = 'given-up'`,
        [providerJobIds],
      )
      return new Set(rows.map(row => row.id))
    }),
  holdForgotten: (job, rows, why) =>
    guarded(async client => {
      await keepResults(client, job, rows)
      await client.query(
        `update forgotten_job set held_reason = $2 where provider_job_id = $1 and status = 'open'`,
        [job.providerJobId, why],
      )
    }),
})
