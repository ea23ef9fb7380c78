-- Up Migration

-- All a job's outcomes were derived from, so that they can be derived again.
set local search_path to device_move_journal;

-- Files of the same job that were read before the one in the row, compressed like it, in the order of reading.
alter table result_file add column earlier bytea[] not null default '{}';
alter table result_file alter column earlier set storage external;

-- What was answered about devices that no file told of.
create table look_up (
  job_id      bigint primary key references job,
  received_at timestamptz not null default now(),
  answers     jsonb not null
);
