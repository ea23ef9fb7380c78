/** Where every move is that was taken in, and whether all of a topic was. */
import type { Queries } from '../session/transaction'

const counts = [
  'accepted',
  'moved',
  'failed',
  'rejected',
  'superseded',
  'duplicate',
  'pending',
  'in_flight',
  'retrying',
  'held',
  'gap',
] as const

/** The view of that name: every move taken in, counted by where it is. */
export type Conservation = Readonly<Record<(typeof counts)[number], number>>

/** @throws while the database cannot be reached */
export const readConservation = async (from: Queries): Promise<Conservation> => {
  const { rows } = await from.query<Record<keyof Conservation, string>>(
    'select * from device_move.conservation',
  )
  const [row] = rows
  if (row === undefined) throw new Error('the view conservation has no row')
  // One entry for each of `counts`, which is what the type says.
  return Object.fromEntries(counts.map(name => [name, Number(row[name])])) as Conservation
}

export interface PartitionEnd {
  readonly partition: number
  /** The offset that its next record gets. */
  readonly high: bigint
}

/** Whether every record before these ends of a topic's partitions is in the journal. */
export const isTakenIn = async (
  from: Queries,
  topic: string,
  ends: readonly PartitionEnd[],
): Promise<boolean> => {
  const { rows } = await from.query<{ left: number }>(
    `select count(*)::integer as left
     from unnest($2::integer[], $3::bigint[]) as e (partition, high)
     where e.high > coalesce((select max(next_offset) from consumed c
                              where c.topic = $1 and c.partition = e.partition), 0)`,
    [topic, ends.map(({ partition }) => partition), ends.map(({ high }) => high)],
  )
  return rows[0]?.left === 0
}
