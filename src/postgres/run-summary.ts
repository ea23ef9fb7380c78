import type { Pool } from 'pg'

export interface CodeCount {
  readonly outcome: string
  readonly code: string
  readonly count: number
}

export interface RunSummary {
  /** Final outcomes by what they are and why, most frequent first. */
  readonly outcomes: readonly CodeCount[]
  readonly retried: number
  readonly jobs: number
}

/** What the whole database holds of settled work. */
export const readRunSummary = async (pool: Pool): Promise<RunSummary> => {
  const outcomes = await pool.query<{ outcome: string; code: string; count: string }>(
    `select outcome, code, count(*) as count from device_move.outcomes where final group by 1, 2 order by 3 desc, 1, 2`,
  )
  const jobs = await pool.query<{ jobs: string; retried: string }>(
    `select count(*) as jobs, coalesce(sum(retried), 0) as retried
     from device_move.jobs where job_id is not null`,
  )
  const [totals] = jobs.rows
  return {
    outcomes: outcomes.rows.map(({ outcome, code, count }) => ({ outcome, code, count: Number(count) })),
    jobs: Number(totals?.jobs ?? 0),
    retried: Number(totals?.retried ?? 0),
  }
}

/** Moves of the requests read from `topic` that have no final outcome yet. */
export const countUnfinished = async (pool: Pool, topic: string): Promise<number> => {
  const { rows } = await pool.query<{ count: string }>(
    `select (select count(*) from move m join consumed c using (source_id)
             left join outcome o using (route_id, seq) left join left_out l using (route_id, seq)
             where c.topic = $1 and o.seq is null and l.seq is null)
          + (select count(*) from requeue q join consumed c using (source_id) where c.topic = $1) as count`,
    [topic],
  )
  return Number(rows[0]?.count ?? 0)
}
