import type { PoolClient } from 'pg'

// The counter stays locked until the transaction ends: rows appear in the order of their ids, without gaps. So
// this is the last thing a transaction does.
const insert = `
  with counter as (update outbox_counter set last_id = last_id + 1 returning last_id)
  insert into outbox (outbox_id, job_id, source_id, from_offset, to_offset, outcomes)
  select last_id, $1, $2, $3, $4, $5 from counter`

/** The outcomes of a settled job are to be published. */
export const outboxOfJob = async (client: PoolClient, jobId: number, outcomes: number): Promise<void> => {
  await client.query(insert, [jobId, null, null, null, outcomes])
}

/** The rejections of a range of offsets, both ends included, are to be published. */
export const outboxOfRejections = async (
  client: PoolClient,
  sourceId: number,
  fromOffset: bigint,
  toOffset: bigint,
  outcomes: number,
): Promise<void> => {
  await client.query(insert, [null, sourceId, fromOffset, toOffset, outcomes])
}
