import type { Queries } from '../session/transaction'

/** The view of that name: every move taken in, by where it is. */
export interface Conservation {
  readonly accepted: number
  readonly moved: number
  readonly failed: number
  readonly rejected: number
  readonly superseded: number
  readonly duplicate: number
  readonly pending: number
  readonly in_flight: number
  readonly retrying: number
  readonly held: number
  readonly gap: number
}

/** @throws while the database cannot be reached */
export const readConservation = async (from: Queries): Promise<Conservation> => {
  const { rows } = await from.query<Record<keyof Conservation, string>>(
    'select * from device_move.conservation',
  )
  const [row] = rows
  if (row === undefined) throw new Error('the view conservation has no row')
  const count = (name: keyof Conservation): number => Number(row[name])
  return {
    accepted: count('accepted'),
    moved: count('moved'),
    failed: count('failed'),
    rejected: count('rejected'),
    superseded: count('superseded'),
    duplicate: count('duplicate'),
    pending: count('pending'),
    in_flight: count('in_flight'),
    retrying: count('retrying'),
    held: count('held'),
    gap: count('gap'),
  }
}

export interface PartitionEnd {
  readonly partition: number
  /** Offset that its next record will get. */
  readonly high: bigint
}

/** Whether all that lies before these ends of a topic is in the journal. */
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
