import type { Queries } from './in-snapshot'

export interface CodeCount {
  readonly outcome: string
  readonly code: string
  readonly count: number
}

/** Of the requests read from one topic, or file; what the database holds besides is not in it. */
export interface RunSummary {
  /** Moves taken in, and rejections: the sum of final outcomes, duplicates, superseded and unfinished ones. */
  readonly accepted: number
  /** Final outcomes by what they are and why, most frequent first. */
  readonly outcomes: readonly CodeCount[]
  readonly duplicates: number
  readonly superseded: number
  /** Without a final outcome. */
  readonly unfinished: number
  /** Attempts that were followed by another. */
  readonly retried: number
  /** Jobs of the provider with a move of them. */
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

/** Of one moment only in a snapshot: it asks several times. */
export const readRunSummary = async (from: Queries, topic: string): Promise<RunSummary> => {
  const { rows: outcomes } = await from.query<CodeCount>(selectOutcomes, [topic])
  const { rows } = await from.query<Totals>(selectTotals, [topic])
  const totals = rows[0] ?? { duplicates: 0, superseded: 0, retried: 0, jobs: 0 }
  const unfinished = await countUnfinished(from, topic)
  const ended = outcomes.reduce((sum, { count }) => sum + count, 0)
  const accepted = ended + totals.duplicates + totals.superseded + unfinished
  return { ...totals, outcomes, unfinished, accepted }
}
