/** What became of the requests of one topic, or file, and of all others in the database. */
import type { Pool } from 'pg'
import type { Queries } from '../session/transaction'
import { unfinished } from '../shared-sql'

export interface CodeCount {
  readonly outcome: string
  readonly code: string
  readonly count: number
}

/** Covers the requests read from one topic, or file, and nothing else that the database holds. */
export interface RunSummary {
  /** Moves taken in, and rejections: the sum of final outcomes, duplicates, superseded and unfinished moves. */
  readonly accepted: number
  /** Final outcomes by kind and code, most frequent first. */
  readonly outcomes: readonly CodeCount[]
  readonly duplicates: number
  readonly superseded: number
  /** Moves without a final outcome. */
  readonly unfinished: number
  /** Attempts that were followed by another. */
  readonly retried: number
  /** Jobs of the provider with at least one of the moves. */
  readonly jobs: number
}

const selectOutcomes = `
  select outcome, code, count(*)::float8 as count
  from (
    select o.outcome, o.code
    from move m join consumed c using (source_id) join outcome o using (route_id, seq)
    where c.topic = $1 and o.final
    union all
    select 'rejected', x.code from rejection x join consumed c using (source_id) where c.topic = $1
  ) ended
  group by 1, 2 order by 3 desc, 1, 2`

const selectTotals = `
  with own as (
    select source_id, repeated_rejections from consumed where topic = $1
  ), moves as (
    select count(*) filter (where l.reason = 'duplicate') as duplicates,
           count(*) filter (where l.reason = 'superseded') as superseded,
           count(*) filter (where not o.final) as retried
    from move m join own using (source_id)
    left join outcome o using (route_id, seq)
    left join left_out l using (route_id, seq)
  )
  select (duplicates + (select coalesce(sum(repeated_rejections), 0) from own))::float8 as duplicates,
         superseded::float8 as superseded, retried::float8 as retried,
         (select count(*)::float8 from job j
          where j.provider_job_id is not null and exists (
            select from move m join own using (source_id) left join left_out l using (route_id, seq)
            where m.route_id = j.route_id and m.seq between j.from_seq and j.to_seq and l.seq is null)) as jobs
  from moves`

/** Moves of the requests read from `topic` that have no final outcome yet. */
export const countUnfinished = async (from: Queries, topic: string): Promise<number> => {
  const { rows } = await from.query<{ count: string }>(
    `select (select count(*) from move m join consumed c using (source_id)
             left join outcome o using (route_id, seq) left join left_out l using (route_id, seq)
             where c.topic = $1 and o.seq is null and l.seq is null)
          + (select count(*) from requeue q join consumed c using (source_id) where c.topic = $1) as count`,
    [topic],
  )
  return Number(rows[0]?.count ?? 0)
}

type Totals = Pick<RunSummary, 'duplicates' | 'superseded' | 'retried' | 'jobs'>

/** Asks several times, so its figures are of one moment only in a snapshot. */
export const readRunSummary = async (from: Queries, topic: string): Promise<RunSummary> => {
  const { rows: outcomes } = await from.query<CodeCount>(selectOutcomes, [topic])
  const { rows } = await from.query<Totals>(selectTotals, [topic])
  const totals = rows[0] ?? { duplicates: 0, superseded: 0, retried: 0, jobs: 0 }
  const left = await countUnfinished(from, topic)
  const ended = outcomes.reduce((sum, { count }) => sum + count, 0)
  const accepted = ended + totals.duplicates + totals.superseded + left
  return { ...totals, outcomes, unfinished: left, accepted }
}

const selectStuck = `
  with stopped as (
    select r.route_id, r.held_at is not null as is_held, r.pending + r.retrying as moves
    from device_move.routes r left join job j on j.job_id = r.blocked_by_batch
    where r.held_at is not null or j.held_at is not null
  ), waiting as (
    -- Moves of routes that go on which wait for another move of their device.
    select r.product_key, q.device_name
    from requeue q join route r using (route_id)
    where q.waits_for is not null and q.route_id not in (select route_id from stopped)
  )
  select (select coalesce(sum(moves), 0) from stopped where not is_held)
       + (select count(*) from waiting w
          where exists (
            select from move m join route r using (route_id) join job j using (route_id)
            where m.device_name = w.device_name and r.product_key = w.product_key and m.seq between j.from_seq and j.to_seq
              and j.held_at is not null and ${unfinished('j')})
          or exists (
            select from move m join stopped using (route_id) join route r using (route_id) join route_claims k using (route_id)
            where m.device_name = w.device_name and r.product_key = w.product_key and m.seq > k.claimed)
          or exists (
            select from requeue q join stopped using (route_id) join route r using (route_id)
            where q.device_name = w.device_name and r.product_key = w.product_key)) as count`

/**
 * Counts the moves that wait for a person although they are neither held themselves nor in a job: their route is blocked by
 * a held job, or an earlier request for their device is stuck.
 */
export const countStuck = async (from: Queries): Promise<number> => {
  const { rows } = await from.query<{ count: string }>(selectStuck)
  return Number(rows[0]?.count ?? 0)
}

/** What the database holds of all topics and files but one. */
export interface OtherLists {
  /** Topics and files. */
  readonly lists: number
  /** Their moves and rejections that have ended, by how they ended. What is counted here never changes again. */
  readonly ended: {
    readonly moved: number
    readonly failed: number
    readonly rejected: number
    readonly superseded: number
    readonly duplicate: number
  }
}

const selectOtherLists = `
  with others as (
    select source_id, topic, repeated_rejections from consumed where topic <> $1 and next_offset > 0
  ), moves as (
    select count(*) filter (where o.final and o.outcome = 'moved') as moved,
           count(*) filter (where o.final and o.outcome = 'failed') as failed,
           count(*) filter (where l.reason = 'superseded') as superseded,
           count(*) filter (where l.reason = 'duplicate') as duplicate
    from move m join others using (source_id)
    left join outcome o using (route_id, seq)
    left join left_out l using (route_id, seq)
  )
  select (select count(distinct topic) from others)::float8 as lists,
         moved::float8 as moved, failed::float8 as failed, superseded::float8 as superseded,
         (duplicate + (select coalesce(sum(repeated_rejections), 0) from others))::float8 as duplicate,
         (select count(*) from rejection join others using (source_id))::float8 as rejected
  from moves`

export const readOtherLists = async (pool: Pool, topic: string): Promise<OtherLists> => {
  const { rows } = await pool.query<OtherLists['ended'] & { readonly lists: number }>(selectOtherLists, [
    topic,
  ])
  const [row] = rows
  if (row === undefined) throw new Error('an aggregate has no row')
  const { lists, ...ended } = row
  return { lists, ended }
}
