import type { Pool } from 'pg'

/** What a database has done besides one topic, or file. */
export interface OtherLists {
  /** Topics and files. */
  readonly lists: number
  /** Their moves and rejections that have ended, by how: what is counted here never changes again. */
  readonly ended: {
    readonly moved: number
    readonly failed: number
    readonly rejected: number
    readonly superseded: number
    readonly duplicate: number
  }
}

const select = `
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
  const { rows } = await pool.query<OtherLists['ended'] & { readonly lists: number }>(select, [topic])
  const [row] = rows
  if (row === undefined) throw new Error('an aggregate has no row')
  const { lists, ...ended } = row
  return { lists, ended }
}
