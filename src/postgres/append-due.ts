import type { PoolClient } from 'pg'

const maxMoves = 20_000

// `again` counts further attempts only: one that had to wait is still in its first.
const advance = `
  update route_intake i set appended = i.appended + d.moves, appended_again = i.appended_again + d.again
  from (select route_id, count(*) as moves, count(*) filter (where attempt > 1) as again
        from requeue where requeue_id = any($1::bigint[]) group by route_id) d
  where i.route_id = d.route_id`

// The routes' rows are locked, so `appended` stands still until `advance`.
const append = `
  insert into move (route_id, seq, attempt, source_id, source_offset, accepted, requested_at, appended_at, device_name,
                    request_id, traceparent, recorded_at)
  select q.route_id, i.appended + row_number() over (partition by q.route_id order by q.due_at, q.requeue_id), q.attempt,
         q.source_id, q.source_offset, q.accepted, q.requested_at, statement_timestamp(), q.device_name, q.request_id,
         q.traceparent, q.recorded_at
  from requeue q join route_intake i using (route_id)
  where q.requeue_id = any($1::bigint[])`

/** Appends what is due to the logs of its routes, at most 20,000 moves. Needs the claim lock. */
export const appendDue = async (client: PoolClient): Promise<void> => {
  const { rows } = await client.query<{ requeue_id: bigint; route_id: number }>(
    `select requeue_id, route_id from requeue where due_at <= statement_timestamp()
     order by due_at, requeue_id limit ${maxMoves}`,
  )
  if (rows.length === 0) return
  const due = [rows.map(row => row.requeue_id)]
  await client.query(
    'select from route_intake where route_id = any($1::integer[]) order by route_id for update',
    [[...new Set(rows.map(row => row.route_id))]],
  )
  await client.query(append, due)
  await client.query(advance, due)
  await client.query('delete from requeue where requeue_id = any($1::bigint[])', due)
}
