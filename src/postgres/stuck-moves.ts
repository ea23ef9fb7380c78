import type { Queries } from './in-snapshot'

const select = `
  with stopped as (
    select r.route_id, r.held_at is not null as is_held, r.pending + r.retrying as moves
    from device_move.routes r left join job j on j.job_id = r.blocked_by_batch
    where r.held_at is not null or j.held_at is not null
  ), waiting as (
    -- Of routes that go on, those that wait for a move of the same device.
    select r.product_key, q.device_name
    from requeue q join route r using (route_id)
    where q.waits_for is not null and q.route_id not in (select route_id from stopped)
  )
  select (select coalesce(sum(moves), 0) from stopped where not is_held)
       + (select count(*) from waiting w
          where exists (
            select from move m join route r using (route_id) join job j using (route_id)
            where m.device_name = w.device_name and r.product_key = w.product_key and m.seq between j.from_seq and j.to_seq
              and j.held_at is not null and j.status not in ('refused', 'settled'))
          or exists (
            select from move m join stopped using (route_id) join route r using (route_id) join route_claims k using (route_id)
            where m.device_name = w.device_name and r.product_key = w.product_key and m.seq > k.claimed)
          or exists (
            select from requeue q join stopped using (route_id) join route r using (route_id)
            where q.device_name = w.device_name and r.product_key = w.product_key)) as count`

/**
 * Moves that are neither held themselves nor in a job, and yet wait for people: their route is blocked by a held job, or
 * an earlier request for their device is stuck.
 */
export const countStuck = async (from: Queries): Promise<number> => {
  const { rows } = await from.query<{ count: string }>(select)
  return Number(rows[0]?.count ?? 0)
}
