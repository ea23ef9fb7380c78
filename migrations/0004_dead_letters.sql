-- Up Migration

set local search_path to device_move_journal;

-- Time of the record itself; null where it is `requested_at` (of a request that gives none), and in rows from before.
alter table move add column recorded_at timestamptz;
alter table requeue add column recorded_at timestamptz;

alter table rejection
  add column recorded_at timestamptz,
  -- Of a dead letter that is the original value.
  add column content_type text,
  -- Null in rows from before: they keep `topic/partition/offset/#ordinal`.
  add column outcome_id text,
  -- Where the device is unknown: what is to be submitted again, as a digest, and its place in the record.
  add column content text;

-- A repeat of a rejected request is the same request: one outcome only. Where the device is unknown, the same request
-- id with the same content is the repeat: two bad records may share an id and still be two requests. Rows from before
-- have no digest; their place told them apart.
drop index rejection_repeat;
create unique index rejection_repeat on rejection (
  md5(request_id || chr(31) || coalesce(product_key, '') || chr(31) ||
    coalesce(device_name, chr(30) || content, chr(30) || source_id || '/' || source_offset || '/' || ordinal))
);

create or replace view device_move.outcomes as
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
select coalesce(x.outcome_id, c.topic || '/' || c.partition || '/' || x.source_offset || '/#' || x.ordinal),
       x.request_id, x.product_key, x.device_name, x.source_instance_id, x.target_instance_ids,
       1, 'rejected', true, x.code, x.message, null,
       x.requested_at, x.rejected_at, c.topic, c.partition, x.source_offset
from rejection x
join consumed c using (source_id);

comment on column device_move.outcomes.outcome_id is 'Stable and unique: position of the request, device, attempt; a place in the record where the device is unknown. The id on the results topic.';
