-- Up Migration

create schema device_move;
comment on schema device_move is 'What became of every device-move request. Views only; the tables behind them may change.';
set local search_path to device_move_journal;

create view device_move.outcomes as
select c.topic || '/' || c.partition || '/' || m.source_offset || '/' || m.device_name || '/' || m.attempt as outcome_id,
       m.request_id, r.product_key, m.device_name, r.source_instance_id, r.target_instance_ids,
       m.attempt::integer as attempt, o.outcome, o.final, o.code, o.message, j.provider_job_id as job_id,
       m.requested_at, j.settled_at, c.topic as source_topic, c.partition as source_partition, m.source_offset
from outcome o
join move m using (route_id, seq)
join route r using (route_id)
join job j using (job_id)
join consumed c using (source_id)
union all
select c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal,
       x.request_id, x.product_key, x.device_name, x.source_instance_id, x.target_instance_ids,
       1, 'rejected', true, x.code, x.message, null,
       x.requested_at, x.rejected_at, c.topic, c.partition, x.source_offset
from rejection x
join consumed c using (source_id);

comment on view device_move.outcomes is 'One row per move and attempt that has ended, and one per rejection: the same as the results topic.';
comment on column device_move.outcomes.outcome_id is 'Stable and unique: position of the request, device, attempt. The id on the results topic.';
comment on column device_move.outcomes.request_id is 'Id given by the producer, else the position of the request.';
comment on column device_move.outcomes.product_key is 'Product of the device; null if the record could not be read.';
comment on column device_move.outcomes.device_name is 'Name of the device within its product; null if the record could not be read.';
comment on column device_move.outcomes.source_instance_id is 'Instance the device was to leave.';
comment on column device_move.outcomes.target_instance_ids is 'Instances it was to move to; several only with strategy 1.';
comment on column device_move.outcomes.attempt is 'Number of the attempt, from 1.';
comment on column device_move.outcomes.outcome is 'moved, failed, or rejected (never sent).';
comment on column device_move.outcomes.final is 'True for the last outcome of the move; false if it was re-queued.';
comment on column device_move.outcomes.code is 'Code of the provider (200: moved), or a reason of ours: unknown, interrupted, invalid_…';
comment on column device_move.outcomes.message is 'What the provider or the check said; null if nothing.';
comment on column device_move.outcomes.job_id is 'JobId of the provider; null if no job was made.';
comment on column device_move.outcomes.requested_at is 'When the producer asked.';
comment on column device_move.outcomes.settled_at is 'When the outcome was stored.';
comment on column device_move.outcomes.source_topic is 'Topic (or file) of the request.';
comment on column device_move.outcomes.source_partition is 'Partition of the request.';
comment on column device_move.outcomes.source_offset is 'Offset (or line) of the request.';

create view device_move.moves as
select m.request_id, r.product_key, m.device_name,
       case
         when o.final then o.outcome
         when m.seq > k.claimed then
           case when r.held_at is not null then 'held' when m.attempt > 1 then 'retrying' else 'pending' end
         when exists (select from job j where j.route_id = m.route_id and j.held_at is not null
                      and j.status not in ('refused', 'settled') and m.seq between j.from_seq and j.to_seq) then 'held'
         else 'in_flight'
       end as state,
       (m.attempt - (m.seq > k.claimed)::integer)::integer as attempts,
       o.code, m.requested_at, j.settled_at, r.route_id,
       r.source_instance_id, r.target_instance_ids, m.accepted as accepted_order
from move m
join route r using (route_id)
join route_claims k using (route_id)
left join left_out l using (route_id, seq)
left join outcome o using (route_id, seq)
left join job j on j.job_id = o.job_id
where l.seq is null and (o.seq is null or o.final)
union all
select q.request_id, r.product_key, q.device_name,
       case when r.held_at is not null then 'held' when q.attempt > 1 then 'retrying' else 'pending' end,
       q.attempt - 1, null, q.requested_at, null, q.route_id, r.source_instance_id, r.target_instance_ids, q.accepted
from requeue q
join route r using (route_id)
union all
select x.request_id, x.product_key, x.device_name, 'rejected', 0, x.code, x.requested_at, x.rejected_at, null,
       x.source_instance_id, x.target_instance_ids, null
from rejection x;

comment on view device_move.moves is 'One row per request and device: where it stands now. Repeats of a request have no row of their own.';
comment on column device_move.moves.request_id is 'Id given by the producer, else the position of the request.';
comment on column device_move.moves.product_key is 'Product of the device; null if the record could not be read.';
comment on column device_move.moves.device_name is 'Name of the device within its product; null if the record could not be read.';
comment on column device_move.moves.state is 'pending, in_flight, retrying (waits for its next attempt), held, moved, failed, rejected or superseded.';
comment on column device_move.moves.attempts is 'Attempts made so far, the one in flight included; 0 for what was never sent.';
comment on column device_move.moves.code is 'Code of the final outcome; null before it.';
comment on column device_move.moves.requested_at is 'When the producer asked.';
comment on column device_move.moves.settled_at is 'When the final outcome was stored; null before it.';
comment on column device_move.moves.route_id is 'Its route; null if rejected.';
comment on column device_move.moves.source_instance_id is 'Instance the device was to leave.';
comment on column device_move.moves.target_instance_ids is 'Instances it was to move to.';
comment on column device_move.moves.accepted_order is 'Requests of one device are carried out in this order; null if rejected.';

create view device_move.devices as
select latest.product_key, latest.device_name, latest.state, latest.request_id, latest.requested_at, latest.settled_at,
       moved.target_instance_ids as last_moved_to, moved.settled_at as last_moved_at
from (
  select distinct on (v.product_key, v.device_name) v.*
  from device_move.moves v
  where v.accepted_order is not null
  order by v.product_key, v.device_name, v.accepted_order desc
) latest
left join lateral (
  select r.target_instance_ids, j.settled_at
  from move m
  join route r on r.route_id = m.route_id and r.product_key = latest.product_key
  join outcome o on o.route_id = m.route_id and o.seq = m.seq and o.outcome = 'moved'
  join job j on j.job_id = o.job_id
  where m.device_name = latest.device_name
  order by m.accepted desc
  limit 1
) moved on true;

comment on view device_move.devices is 'One row per device of an accepted request: its latest request, and where it was last moved.';
comment on column device_move.devices.product_key is 'Product of the device.';
comment on column device_move.devices.device_name is 'Name of the device within its product.';
comment on column device_move.devices.state is 'State of its latest request, as in moves.';
comment on column device_move.devices.request_id is 'Its latest request.';
comment on column device_move.devices.requested_at is 'When the producer asked.';
comment on column device_move.devices.settled_at is 'When the latest request ended; null before it.';
comment on column device_move.devices.last_moved_to is 'Target of its latest successful move; null if it was never moved.';
comment on column device_move.devices.last_moved_at is 'When that move was stored.';

create view device_move.jobs as
select j.provider_job_id as job_id, j.route_id, coalesce(nullif(j.status, 'settled'), j.ended_as) as status,
       j.devices, coalesce(j.moved, 0) as moved, coalesce(j.failed, 0) as failed, coalesce(j.retried, 0) as retried,
       j.created_at, j.finished_at, j.settled_at, j.calls,
       j.job_id as batch_id, j.moves, j.held_at, j.held_reason, j.last_error, j.claimed_at
from job j;

comment on view device_move.jobs is 'One row per job at the provider, and per batch that has none yet.';
comment on column device_move.jobs.job_id is 'JobId of the provider; null until it is known.';
comment on column device_move.jobs.route_id is 'Route of all its moves.';
comment on column device_move.jobs.status is 'claimed, creating, unknown (may exist at the provider), running, completed, interrupted or refused.';
comment on column device_move.jobs.devices is 'Distinct devices sent.';
comment on column device_move.jobs.moved is 'Moves that ended as moved.';
comment on column device_move.jobs.failed is 'Moves that failed for good.';
comment on column device_move.jobs.retried is 'Moves that failed and were re-queued.';
comment on column device_move.jobs.created_at is 'When the provider had taken it.';
comment on column device_move.jobs.finished_at is 'When it was seen to have ended.';
comment on column device_move.jobs.settled_at is 'When its outcomes were stored; null before that.';
comment on column device_move.jobs.calls is 'API calls spent on it alone; the shared List is not counted.';
comment on column device_move.jobs.batch_id is 'Our own number of the batch.';
comment on column device_move.jobs.moves is 'Moves in it; more than devices if two requests named the same device.';
comment on column device_move.jobs.held_at is 'Since when it waits for a human; null if it does not.';
comment on column device_move.jobs.held_reason is 'Why.';
comment on column device_move.jobs.last_error is 'Why a create was refused or stayed without an answer.';
comment on column device_move.jobs.claimed_at is 'When its batch was bound.';

create view device_move.routes as
with settled as (
  select route_id, sum(moved) as moved, sum(failed) as failed
  from job where status = 'settled' group by route_id
), open as (
  select route_id, sum(moves) as in_flight
  from job where status not in ('refused', 'settled') group by route_id
), waiting as (
  select route_id, count(*) filter (where attempt = 1) as pending, count(*) filter (where attempt > 1) as retrying
  from requeue group by route_id
), rate as (
  -- Moves settled a second over the last quarter of an hour of work.
  select sum(moves) / greatest(extract(epoch from max(settled_at) - min(claimed_at)), 1) as per_second
  from job where status = 'settled' and settled_at > now() - interval '15 minutes'
), counts as (
  select r.*, i.appended - k.claimed - (i.appended_again - k.claimed_again) + coalesce(w.pending, 0) as pending,
         coalesce(o.in_flight, 0) as in_flight,
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
       case when c.held_at is null and c.pending + c.retrying + c.in_flight > 0 then
         now() + make_interval(secs => (sum(c.pending + c.retrying + c.in_flight) over () / rate.per_second)::float8)
       end as eta,
       c.held_at, c.held_reason
from counts c
cross join rate;

comment on view device_move.routes is 'One row per route: what moves must share to share a job.';
comment on column device_move.routes.route_id is 'Number of the route.';
comment on column device_move.routes.product_key is 'Product of its devices.';
comment on column device_move.routes.source_instance_id is 'Instance they leave.';
comment on column device_move.routes.strategy is '0: the named target. 1: the nearest target, when the device next connects.';
comment on column device_move.routes.target_instance_ids is 'Instances they move to.';
comment on column device_move.routes.target_uid is 'Account id of the target; null if named by login.';
comment on column device_move.routes.target_aliyun_id is 'Account login of the target; null if named by id.';
comment on column device_move.routes.priority is 'normal or urgent.';
comment on column device_move.routes.pending is 'Moves waiting for their first attempt.';
comment on column device_move.routes.in_flight is 'Moves bound to a job that is not settled.';
comment on column device_move.routes.retrying is 'Moves waiting for a further attempt.';
comment on column device_move.routes.moved is 'Moves that ended as moved.';
comment on column device_move.routes.failed is 'Moves that failed for good.';
comment on column device_move.routes.oldest_pending_at is 'When the next move to be claimed was appended; null if none.';
comment on column device_move.routes.eta is 'When the backlog of all routes should be done, at the pace of the last 15 minutes; null if unknown.';
comment on column device_move.routes.held_at is 'Since when an operator holds the route; null if not.';
comment on column device_move.routes.held_reason is 'Why.';

create view device_move.failures_by_code as
select o.code, count(*) as outcomes, count(*) filter (where o.final) as final,
       count(*) filter (where not o.final) as retried, max(o.settled_at) as last_seen_at
from device_move.outcomes o
where o.outcome in ('failed', 'rejected')
group by o.code;

comment on view device_move.failures_by_code is 'Failures and rejections by code.';
comment on column device_move.failures_by_code.code is 'Code of the provider or reason of ours.';
comment on column device_move.failures_by_code.outcomes is 'Outcomes with that code.';
comment on column device_move.failures_by_code.final is 'Those that were final.';
comment on column device_move.failures_by_code.retried is 'Those that were re-queued.';
comment on column device_move.failures_by_code.last_seen_at is 'When it was last seen.';

create view device_move.throughput_hourly as
select date_trunc('hour', j.settled_at) as hour, count(*) as jobs, sum(j.devices)::bigint as devices,
       sum(j.moved)::bigint as moved, sum(j.failed)::bigint as failed, sum(j.retried)::bigint as retried,
       sum(j.calls)::bigint as calls
from job j
where j.status = 'settled'
group by 1;

comment on view device_move.throughput_hourly is 'What was settled in each hour.';
comment on column device_move.throughput_hourly.hour is 'Start of the hour.';
comment on column device_move.throughput_hourly.jobs is 'Jobs settled.';
comment on column device_move.throughput_hourly.devices is 'Devices in them.';
comment on column device_move.throughput_hourly.moved is 'Moves that ended as moved.';
comment on column device_move.throughput_hourly.failed is 'Moves that failed for good.';
comment on column device_move.throughput_hourly.retried is 'Moves that were re-queued.';
comment on column device_move.throughput_hourly.calls is 'API calls spent on those jobs alone.';

create view device_move.conservation as
with routes as (
  select coalesce(sum(i.accepted), 0) as accepted, coalesce(sum(k.duplicates), 0) as duplicate,
         coalesce(sum(k.superseded), 0) as superseded,
         coalesce(sum(i.appended - k.claimed - (i.appended_again - k.claimed_again)) filter (where r.held_at is null), 0) as pending,
         coalesce(sum(i.appended_again - k.claimed_again) filter (where r.held_at is null), 0) as retrying,
         coalesce(sum(i.appended - k.claimed) filter (where r.held_at is not null), 0) as held
  from route r join route_intake i using (route_id) join route_claims k using (route_id)
), waiting as (
  select count(*) filter (where r.held_at is null and q.attempt = 1) as pending,
         count(*) filter (where r.held_at is null and q.attempt > 1) as retrying,
         count(*) filter (where r.held_at is not null) as held
  from requeue q join route r using (route_id)
), jobs as (
  select coalesce(sum(moved), 0) as moved, coalesce(sum(failed), 0) as failed,
         coalesce(sum(moves) filter (where status not in ('refused', 'settled') and held_at is null), 0) as in_flight,
         coalesce(sum(moves) filter (where status not in ('refused', 'settled') and held_at is not null), 0) as held
  from job
), rejections as (
  select (select count(*) from rejection) as rejected,
         (select coalesce(sum(repeated_rejections), 0) from consumed) as repeated
), totals as (
  select (routes.accepted + rejections.rejected + rejections.repeated)::bigint as accepted,
         jobs.moved::bigint as moved, jobs.failed::bigint as failed, rejections.rejected::bigint as rejected,
         routes.superseded::bigint as superseded, (routes.duplicate + rejections.repeated)::bigint as duplicate,
         (routes.pending + waiting.pending)::bigint as pending, jobs.in_flight::bigint as in_flight,
         (routes.retrying + waiting.retrying)::bigint as retrying,
         (routes.held + waiting.held + jobs.held)::bigint as held
  from routes, waiting, jobs, rejections
)
select t.*, t.accepted - t.moved - t.failed - t.rejected - t.superseded - t.duplicate - t.pending - t.in_flight
            - t.retrying - t.held as gap
from totals t;

comment on view device_move.conservation is 'One row: every move taken in, and where it is. Nothing may be missing.';
comment on column device_move.conservation.accepted is 'Moves taken in and rejections.';
comment on column device_move.conservation.moved is 'Ended as moved.';
comment on column device_move.conservation.failed is 'Failed for good.';
comment on column device_move.conservation.rejected is 'Never sent: invalid.';
comment on column device_move.conservation.superseded is 'Replaced by a newer request before being sent.';
comment on column device_move.conservation.duplicate is 'Repeats of the same request and device.';
comment on column device_move.conservation.pending is 'Waiting for the first attempt.';
comment on column device_move.conservation.in_flight is 'Bound to a job that is not settled.';
comment on column device_move.conservation.retrying is 'Waiting for a further attempt.';
comment on column device_move.conservation.held is 'Pending or retrying on a held route, or in a held job.';
comment on column device_move.conservation.gap is 'accepted minus all others: 0, always.';
