/**
 * Releases moves that waited in the re-queue for one that has ended now. However many they are, a transaction releases a
 * part of them only. It notes for whom it has left some, and the next claims release these.
 *
 * A move that waits is released by the transaction in which the other ended, or the other stands in `release_due`. All of
 * this needs the claim lock, under which moves begin to wait: so none is missed.
 */
import type { PoolClient } from 'pg'

/** Most moves that one transaction releases. */
export const mostReleased = 20_000

// In the order of acceptance, so that of each device the moves that are to be sent first are released first.
const releaseSlice = `
  with slice as materialized (
    select w.requeue_id from unnest($1::bigint[]) as ended (accepted)
    cross join lateral (
      select q.requeue_id from requeue q where q.waits_for = ended.accepted order by q.accepted limit $2
    ) w
    limit $2
  )
  update requeue q set due_at = now(), waits_for = null from slice where q.requeue_id = slice.requeue_id`

const storeRest = `
  insert into release_due (accepted)
  select ended.accepted from unnest($1::bigint[]) as ended (accepted)
  where exists (select from requeue q where q.waits_for = ended.accepted offset 0)
  on conflict do nothing`

/** Makes the moves due now that waited for one of these acceptances, the rest of them soon. Needs the claim lock. */
export const releaseWaiting = async (client: PoolClient, accepted: readonly bigint[]): Promise<void> => {
  if (accepted.length === 0) return
  const { rowCount } = await client.query(releaseSlice, [accepted, mostReleased])
  if ((rowCount ?? 0) >= mostReleased) await client.query(storeRest, [accepted])
}

const selectDue = 'select accepted from release_due order by accepted limit $1'

const deleteDone = `
  delete from release_due r using unnest($1::bigint[]) as ended (accepted)
  where r.accepted = ended.accepted
    and not exists (select from requeue q where q.waits_for = ended.accepted offset 0)`

/** Releases at most so many of those that were left. Needs the claim lock. */
export const releaseLeft = async (client: PoolClient, most: number): Promise<void> => {
  const { rows } = await client.query<{ accepted: bigint }>(selectDue, [most])
  const ended = rows.map(row => row.accepted)
  await client.query(releaseSlice, [ended, most])
  await client.query(deleteDone, [ended])
}
