import type { Queries } from './in-snapshot'

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
