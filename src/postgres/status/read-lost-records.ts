/** Records that Kafka deleted before they were taken in. */
import type { Queries } from '../session/transaction'

/** Of one partition. The count never goes back: what is lost stays lost. */
export interface LostRecords {
  readonly topic: string
  readonly partition: number
  readonly records: number
  /** When it was last noticed that records are missing; null if a release before this one noticed. */
  readonly lastAt: string | null
}

/** Partitions that have lost records, the latest loss first. There are a few hundred partitions at most. */
export const readLostRecords = async (from: Queries): Promise<readonly LostRecords[]> => {
  const { rows } = await from.query<Omit<LostRecords, 'lastAt'> & { readonly lastAt: Date | null }>(
    `select topic, partition, sum(lost_records)::float8 as records, max(lost_at) as "lastAt"
     from consumed where lost_records > 0
     group by topic, partition order by max(lost_at) desc nulls last, topic, partition`,
  )
  return rows.map(({ lastAt, ...lost }) => ({ ...lost, lastAt: lastAt?.toISOString() ?? null }))
}
