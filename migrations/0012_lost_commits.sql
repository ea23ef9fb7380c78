-- Up Migration

set local search_path to device_move_journal;

alter table consumed
  -- Of a topic of this name: deleted and made anew it has a second life, whose offsets are those of other records.
  add column life integer not null default 1,
  -- Records that were deleted from Kafka before they were taken in.
  add column lost_records bigint not null default 0,
  -- The last record that was taken in: offset, timestamp (ms since 1970), and a digest of key and value.
  add column last_offset bigint,
  add column last_timestamp bigint,
  add column last_digest text,
  -- Set while the partition holds another log than the one that was read. Only `device-move accept-restore` clears it.
  add column stopped_at timestamptz,
  add column stopped_reason text,
  -- What the group had committed when a restore was accepted. Its commits may lie above `next_offset` up to there.
  add column committed_before bigint;

-- Has a row while every flow is stopped, because this database has lost commits. `device-move accept-restore` deletes it.
create table database_stop (
  singleton  boolean primary key default true check (singleton),
  stopped_at timestamptz not null default now(),
  reason     text not null,
  -- The highest that any process has seen.
  epoch      bigint not null,
  outbox_end bigint not null
);

-- One row for each time that an operator accepted a database which had lost commits.
create table accepted_restore (
  restore_id     integer generated always as identity primary key,
  accepted_at    timestamptz not null default now(),
  -- The last id of the outbox and the epoch of the lease, as they were before.
  outbox_end     bigint not null,
  epoch          bigint not null,
  -- When the provider's jobs had been gone through for those that this database does not know; null: not yet.
  jobs_listed_at timestamptz
);

create or replace view device_move.outcomes as
select c.topic || case when c.life > 1 then '@' || c.life else '' end || '/' || c.partition || '/' || m.source_offset
         || '/' || m.device_name || '/' || m.attempt as outcome_id,
       m.request_id, r.product_key, m.device_name, r.source_instance_id, r.target_instance_ids,
       m.attempt::integer as attempt, o.outcome, o.final, o.code, o.message, j.provider_job_id as job_id,
       m.requested_at, j.settled_at, c.topic as source_topic, c.partition as source_partition, m.source_offset
from outcome o
join move m using (route_id, seq)
join route r using (route_id)
join job j using (job_id)
join consumed c using (source_id)
union all
select coalesce(x.outcome_id, c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal),
       x.request_id, x.product_key, x.device_name, x.source_instance_id, x.target_instance_ids,
       1, 'rejected', true, x.code, x.message, null,
       x.requested_at, x.rejected_at, c.topic, c.partition, x.source_offset
from rejection x
join consumed c using (source_id);

comment on column device_move.outcomes.outcome_id is 'Stable and unique: position of the request, device, attempt; a place in the record where the device is unknown. From a topic''s second life on the topic is written topic@2. The id on the results topic.';
