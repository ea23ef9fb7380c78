-- Up Migration

-- A JobId that was found, not given in answer to the create, may be another's until its result file tells.
set local search_path to device_move_journal;

alter table job
  add column found_by text check (found_by in ('list', 'operator')),
  add column not_ours text[] not null default '{}',
  add column clashes_with text,
  add column releases integer not null default 0;

comment on column job.found_by is 'Who found its JobId where its create did not answer with it; null: the create did, or it has none.';
comment on column job.not_ours is 'JobIds that were taken for it until their result files told of other devices only.';
comment on column job.clashes_with is 'JobId that its create was answered with, though another job has it.';
comment on column job.releases is 'How often an operator has let it go: what is meant for its state of before is late.';

-- Of those held before only the reason tells.
update job set clashes_with = substring(held_reason from '^its create was answered with JobId (.+), which another job has')
where status = 'unknown' and held_reason like 'its create was answered with JobId %';

create or replace view device_move.jobs as
select j.provider_job_id as job_id, j.route_id, coalesce(nullif(j.status, 'settled'), j.ended_as) as status,
       j.devices, coalesce(j.moved, 0) as moved, coalesce(j.failed, 0) as failed, coalesce(j.retried, 0) as retried,
       j.created_at, j.finished_at, j.settled_at, j.calls,
       j.job_id as batch_id, j.moves, j.held_at, j.held_reason, j.last_error, j.claimed_at, j.found_by, j.not_ours
from job j;

comment on column device_move.jobs.found_by is 'Who found its JobId where its create did not answer with it: list (adopted by the service) or operator; else null.';
comment on column device_move.jobs.not_ours is 'JobIds that were taken for it until their result files told of other devices only.';
