-- Up Migration

-- No device fails for another one's sake: searches for bad devices, and holds of routes with a kind.
set local search_path to device_move_journal;

-- What a batch is in a search for bad devices. No row has to be read now, since all of them have null.
-- Accepted constraint: the release before does not write the column, and null passes the check
alter table job add column search text;
alter table job add constraint job_search_check check (search in ('piece', 'drawn', 'set-aside')) not valid;
-- It was certainly not sent, is held together with its route, and is released with it.
alter table job add column held_with_route boolean not null default false;

-- A held route without a kind was held by an operator, by a build that knows no kinds.
alter table route add column held_kind text
  constraint route_held_kind_check check (held_kind in ('operator', 'refused', 'aborted', 'canary'));
-- When one batch of a route that was refused is tried again.
alter table route add column retry_at timestamptz;

-- A build that knows no kinds releases a route without clearing its kind.
create function forget_hold() returns trigger language plpgsql as $$
begin
  new.held_kind := null;
  new.retry_at := null;
  return new;
end $$;
create trigger route_released before update of held_at on route
  for each row when (new.held_at is null) execute function device_move_journal.forget_hold();

create or replace view device_move.routes as
with settled as (
  select route_id, sum(moved) as moved, sum(failed) as failed
  from job where status = 'settled' group by route_id
), open as (
  select route_id, sum(moves) filter (where held_at is null) as in_flight, sum(moves) filter (where held_at is not null) as held
  from job where status not in ('refused', 'settled') group by route_id
), waiting as (
  select route_id, count(*) filter (where attempt = 1) as pending, count(*) filter (where attempt > 1) as retrying
  from requeue group by route_id
), rate as (
  -- Moves settled a second over the last quarter of an hour of work.
  select sum(moves) / greatest(extract(epoch from max(settled_at) - min(claimed_at)), 1) as per_second
  from job where status = 'settled' and settled_at > now() - interval '15 minutes'
), blocking as (
  -- Of routes that look alike in the provider's List, one create is under way at a time. All of them wait for a held job that
  -- may have been created, and for a batch whose creates were refused with unrecognised codes, which is tried again.
  select j.job_id, coalesce(j.held_at, j.claimed_at) as since,
         coalesce(j.held_reason, format('refused %s time%s with unrecognised codes, last error: %s',
                                        j.refusals - j.inherited_refusals,
                                        case when j.refusals - j.inherited_refusals > 1 then 's' end, j.last_error)) as reason,
         r.product_key, r.source_instance_id, r.strategy, r.target_instance_ids
  from job j join route r using (route_id)
  where j.status not in ('refused', 'settled')
    and (j.held_at is not null and j.status in ('creating', 'unknown')
         or j.held_at is null and j.status in ('claimed', 'creating', 'unknown') and j.refusals > j.inherited_refusals)
), counts as (
  select r.*, i.appended - k.claimed - (i.appended_again - k.claimed_again) + coalesce(w.pending, 0) as pending,
         coalesce(o.in_flight, 0) as in_flight, coalesce(o.held, 0) as in_held_jobs,
         i.appended_again - k.claimed_again + coalesce(w.retrying, 0) as retrying,
         coalesce(s.moved, 0) as moved, coalesce(s.failed, 0) as failed,
         case when i.appended > k.claimed then
           (select m.appended_at from move m where m.route_id = r.route_id and m.seq = k.claimed + 1)
         end as oldest_pending_at
  from route r
  join route_intake i using (route_id)
  join route_claims k using (route_id)
  left join settled s using (route_id)
  left join open o using (route_id)
  left join waiting w using (route_id)
)
select c.route_id, c.product_key, c.source_instance_id, c.strategy, c.target_instance_ids, c.target_uid,
       c.target_aliyun_id, c.priority, c.pending::bigint as pending, c.in_flight::bigint as in_flight,
       c.retrying::bigint as retrying, c.moved::bigint as moved, c.failed::bigint as failed, c.oldest_pending_at,
       case when c.held_at is null and b.job_id is null and c.pending + c.retrying + c.in_flight > 0 then
         now() + make_interval(secs => (sum(c.pending + c.retrying + c.in_flight)
                                          filter (where c.held_at is null and b.job_id is null) over () / rate.per_second)::float8)
       end as eta,
       c.held_at, c.held_reason, b.job_id as blocked_by_batch, b.since as blocked_at, b.reason as blocked_reason,
       c.in_held_jobs::bigint as in_held_jobs,
       case when c.held_at is not null then coalesce(c.held_kind, 'operator') end as held_kind, c.retry_at as held_retry_at
from counts c
cross join rate
left join lateral (
  select b.job_id, b.since, b.reason
  from blocking b
  where b.product_key = c.product_key and b.source_instance_id = c.source_instance_id and b.strategy = c.strategy
    and b.target_instance_ids @> c.target_instance_ids and b.target_instance_ids <@ c.target_instance_ids
  order by b.job_id
  limit 1
) b on true;

comment on column device_move.routes.held_at is 'Since when the route is held; null if not.';
comment on column device_move.routes.held_kind is 'Who holds it: operator, or refused (the provider refused a batch with a code that concerns the route; one batch an hour is tried). Null if nobody.';
comment on column device_move.routes.held_retry_at is 'When one batch of a refused route is tried by itself; null if it is not.';
comment on column device_move.routes.in_held_jobs is 'Moves bound to a job that is held, also one that waits unsent with its held route. In moves these are held, and so are the pending and retrying ones of a held route, which are not counted here.';
