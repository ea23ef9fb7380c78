/** The line of jobs whose devices are looked up: how long it is, and how fast it goes. */
import type { Queries } from '../session/transaction'
import { unfinished } from '../shared-sql'

export interface LookUpsStatus {
  readonly jobs: number
  /** Moves of these jobs that wait to be looked up. */
  readonly moves: number
  /** Moves that look-ups have settled a second in the last ten minutes; null: too few to say. */
  readonly perSecond: number | null
  /** How long the line takes at that pace, ms; null: not known. */
  readonly remainingMs: number | null
}

interface LineRow {
  readonly jobs: number
  readonly moves: number
  readonly settled: number | null
  readonly seconds: number | null
}

// The pace is that between the first part of the last ten minutes and the latest one.
const selectLine = `
  with line as (
    select count(*)::float8 as jobs, coalesce(sum(moves - moved - failed - retried), 0)::float8 as moves
    from job where ${unfinished('job')} and status = 'looking-up' and held_at is null
  ), recent as (
    select (sum(outcomes) - (array_agg(outcomes order by settled_at))[1])::float8 as settled,
           extract(epoch from max(settled_at) - min(settled_at))::float8 as seconds
    from job_part where by_look_up and settled_at > now() - interval '10 minutes'
  )
  select * from line cross join recent`

/** null: no job is in the line. */
export const readLookUps = async (from: Queries): Promise<LookUpsStatus | null> => {
  const [row] = (await from.query<LineRow>(selectLine)).rows
  if (row === undefined || row.jobs === 0) return null
  const { jobs, moves, settled, seconds } = row
  const perSecond = settled === null || seconds === null || settled * seconds <= 0 ? null : settled / seconds
  return { jobs, moves, perSecond, remainingMs: perSecond && Math.round((moves / perSecond) * 1_000) }
}
