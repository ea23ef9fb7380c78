-- Up Migration

-- Devices that no result file tells of are looked up one by one. Their job settles in parts meanwhile: part 1 is what its
-- file told, and each later part what look-ups told. A job that settles at once has no parts, as every job from before.
--
-- A release that does not know the status 'looking-up' keeps such devices excluded but cannot go on with their jobs: see
-- docs/operations.md before going back.
set local search_path to device_move_journal;

-- The checks on the status hold for new rows. Those from before fulfil them, since they fulfil the old ones.
-- Accepted constraint: the release before never writes looking-up, and its rows fulfil the old checks, which ask for more
alter table job
  drop constraint job_status_check,
  drop constraint job_check7,
  drop constraint job_check9,
  -- Number of the last part that is settled.
  add column parts integer not null default 0,
  -- Why it is held once looking up has left devices untold: no result file could be read. Null: it is not held then.
  add column hold_untold text,
  add constraint job_status_check check (status in
    ('claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted', 'looking-up', 'refused', 'settled')) not valid,
  add constraint job_ended_check check ((status in ('looking-up', 'refused', 'settled')) = (ended_as is not null)) not valid,
  add constraint job_counts_check
    check ((status in ('looking-up', 'settled')) = (num_nonnulls(moved, failed, retried) = 3)) not valid,
  add constraint job_open_check check (status <> 'looking-up' or moved + failed + retried < moves) not valid;

-- The positions of its moves lie in this range of the route's log, together with those of other parts.
create table job_part (
  job_id     bigint not null references job,
  part       integer not null check (part >= 1),
  from_seq   bigint not null,
  to_seq     bigint not null,
  outcomes   integer not null,
  -- Whether looking devices up has told, and not a file.
  by_look_up boolean not null,
  settled_at timestamptz not null default now(),
  primary key (job_id, part),
  check (from_seq <= to_seq)
);
create index job_part_settled on job_part (settled_at) where by_look_up;

-- Null: all of the job.
alter table outcome add column part integer;
alter table outbox add column part integer;

-- The latest answer about each device that was looked up. An open move whose device has an answer stays untold.
create table looked_up (
  job_id      bigint not null references job,
  device_name text not null,
  -- By the clock of the driver, ms since 1970.
  answered_at bigint not null,
  found       jsonb,
  code        text,
  primary key (job_id, device_name),
  check ((found is null) <> (code is null))
);
-- Only the releases before this one use it. It tells of jobs that were settled at once.
comment on table look_up is 'Answers of look-ups before jobs had parts.';

create or replace view device_move.outcomes as
select c.topic || case when c.life > 1 then '@' || c.life else '' end || '/' || c.partition || '/' || m.source_offset
         || '/' || m.device_name || '/' || m.attempt as outcome_id,
       m.request_id, r.product_key, m.device_name, r.source_instance_id, r.target_instance_ids,
       m.attempt::integer as attempt, o.outcome, o.final, o.code, o.message, coalesce(o.told_by, j.provider_job_id) as job_id,
       m.requested_at, coalesce(p.settled_at, j.settled_at) as settled_at, c.topic as source_topic, c.partition as source_partition, m.source_offset
from outcome o
join move m using (route_id, seq)
join route r using (route_id)
join job j using (job_id)
left join job_part p on p.job_id = o.job_id and p.part = o.part
join consumed c using (source_id)
union all
select coalesce(x.outcome_id, c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal),
       x.request_id, x.product_key, x.device_name, x.source_instance_id, x.target_instance_ids,
       1, 'rejected', true, x.code, x.message, null,
       x.requested_at, x.rejected_at, c.topic, c.partition, x.source_offset
from rejection x
join consumed c using (source_id);

create or replace view device_move.moves as
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
       o.code, m.requested_at, coalesce(p.settled_at, j.settled_at) as settled_at, r.route_id,
       r.source_instance_id, r.target_instance_ids, m.accepted as accepted_order
from move m
join route r using (route_id)
join route_claims k using (route_id)
left join left_out l using (route_id, seq)
left join outcome o using (route_id, seq)
left join job j on j.job_id = o.job_id
left join job_part p on p.job_id = o.job_id and p.part = o.part
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

create or replace view device_move.devices as
select latest.product_key, latest.device_name, latest.state, latest.request_id, latest.requested_at, latest.settled_at,
       moved.target_instance_ids as last_moved_to, moved.settled_at as last_moved_at
from (
  select distinct on (v.product_key, v.device_name) v.*
  from device_move.moves v
  where v.accepted_order is not null
  order by v.product_key, v.device_name, v.accepted_order desc
) latest
left join lateral (
  select r.target_instance_ids, coalesce(p.settled_at, j.settled_at) as settled_at
  from move m
  join route r on r.route_id = m.route_id and r.product_key = latest.product_key
  join outcome o on o.route_id = m.route_id and o.seq = m.seq and o.outcome = 'moved'
  join job j on j.job_id = o.job_id
  left join job_part p on p.job_id = o.job_id and p.part = o.part
  where m.device_name = latest.device_name
  order by m.accepted desc
  limit 1
) moved on true;

create or replace view device_move.conservation as
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
         coalesce(sum(left_open) filter (where held_at is null), 0) as in_flight,
         coalesce(sum(left_open) filter (where held_at is not null), 0) as held
  from (select moved, failed, held_at,
               case when status not in ('refused', 'settled') then moves - coalesce(moved + failed + retried, 0) end as left_open
        from job) jobs
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

create or replace view device_move.routes as
with settled as (
  select route_id, sum(moved) as moved, sum(failed) as failed
  from job where status in ('settled', 'looking-up') group by route_id
), open as (
  select route_id, sum(left_open) filter (where held_at is null) as in_flight,
         sum(left_open) filter (where held_at is null and status = 'looking-up') as looking_up,
         sum(left_open) filter (where held_at is not null) as held
  from (select *, moves - coalesce(moved + failed + retried, 0) as left_open from job
        where status not in ('refused', 'settled')) unsettled
  group by route_id
), waiting as (
  select route_id, count(*) filter (where attempt = 1) as pending, count(*) filter (where attempt > 1) as retrying
  from requeue group by route_id
), rate as (
  -- Moves settled a second over the last quarter of an hour of work. Look-ups have a pace of their own.
  select sum(moves) / greatest(extract(epoch from max(settled_at) - min(claimed_at)), 1) as per_second
  from job where status = 'settled' and parts = 0 and settled_at > now() - interval '15 minutes'
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
         coalesce(o.in_flight, 0) as in_flight, coalesce(o.looking_up, 0) as looking_up,
         coalesce(o.held, 0) as in_held_jobs,
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
       case when c.held_at is null and b.job_id is null and c.pending + c.retrying + c.in_flight - c.looking_up > 0 then
         now() + make_interval(secs => (sum(c.pending + c.retrying + c.in_flight - c.looking_up)
                                          filter (where c.held_at is null and b.job_id is null) over () / rate.per_second)::float8)
       end as eta,
       c.held_at, c.held_reason, b.job_id as blocked_by_batch, b.since as blocked_at, b.reason as blocked_reason,
       c.in_held_jobs::bigint as in_held_jobs,
       case when c.held_at is not null then coalesce(c.held_kind, 'operator') end as held_kind, c.retry_at as held_retry_at,
       c.looking_up::bigint as looking_up
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

comment on column device_move.outcomes.settled_at is 'When the outcome was stored.';
comment on column device_move.jobs.status is 'claimed, creating, unknown (may exist at the provider), running, completed, interrupted, looking-up (has ended, and devices that its file does not tell of are looked up), refused, or abandoned (given up by an operator).';
comment on column device_move.jobs.moved is 'Moves that ended as moved, so far.';
comment on column device_move.jobs.failed is 'Moves that failed for good, so far.';
comment on column device_move.jobs.retried is 'Moves that failed and were re-queued, so far.';
comment on column device_move.jobs.settled_at is 'When the last of its outcomes were stored; null before that.';
comment on column device_move.conservation.in_flight is 'Bound to a job, without an outcome, and not in a held job.';
comment on column device_move.routes.in_flight is 'Moves bound to a job that is not held, without an outcome.';
comment on column device_move.routes.looking_up is 'Those of the moves in flight whose devices are looked up one by one, since no result file tells of them.';
comment on column device_move.routes.eta is 'When the backlog of all routes that are neither held nor blocked should be done, at the pace of the last 15 minutes, look-ups left out; null if unknown, held or blocked, or if nothing else is left.';
