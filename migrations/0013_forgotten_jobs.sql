-- Up Migration

set local search_path to device_move_journal;

-- Listed jobs of the provider that a restored database does not know. They may be ours, forgotten by the restore.
create table forgotten_job (
  provider_job_id     text primary key,
  product_key         text not null,
  source_instance_id  text not null,
  strategy            integer not null,
  -- Empty where List does not show them.
  target_instance_ids text[] not null,
  target_uid          text,
  total               integer not null,
  provider_status     smallint not null,
  -- By the provider's clock.
  provider_created_at timestamptz not null,
  listed_at           timestamptz not null default now(),
  -- While it is open, no route that looks the same in List is claimed.
  status              text not null default 'open' check (status in ('open', 'read', 'given-up')),
  -- Why its results cannot be had, until an operator decides.
  held_reason         text,
  ended_at            timestamptz,
  check ((status = 'open') = (ended_at is null))
);
create index forgotten_job_open on forgotten_job (product_key, source_instance_id) where status = 'open';

-- What the files of those jobs say of devices. A row is looked for when a move of its device is claimed.
create table forgotten_result (
  product_key     text not null,
  device_name     text not null,
  provider_job_id text not null,
  code            text not null,
  message         text,
  -- It has told of a move.
  used            boolean not null default false,
  primary key (product_key, device_name, provider_job_id)
);

-- Why the provider's jobs could not be listed after a restore; null: they could, or it was not tried yet.
alter table accepted_restore add column list_error text;

-- The JobId of the forgotten job whose result file told the outcome. Its batch has no JobId then.
alter table outcome add column told_by text;

create or replace view device_move.outcomes as
select c.topic || case when c.life > 1 then '@' || c.life else '' end || '/' || c.partition || '/' || m.source_offset
         || '/' || m.device_name || '/' || m.attempt as outcome_id,
       m.request_id, r.product_key, m.device_name, r.source_instance_id, r.target_instance_ids,
       m.attempt::integer as attempt, o.outcome, o.final, o.code, o.message,
       coalesce(o.told_by, j.provider_job_id) as job_id,
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
