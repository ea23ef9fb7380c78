-- Up Migration

-- Tables are private: they live in their own schema (which also keeps the ledger of migrations, made before this
-- one runs). What others may read are the views of 0002.
create schema if not exists device_move_journal;
set local search_path to device_move_journal;

-- The right to drive the account. The epoch fences an older holder: every transaction of a driver first does
-- `select … where epoch = mine for key share`. A take-over changes the key and so waits for those transactions;
-- a renewal changes no key and waits for nobody.
create table lease (
  epoch           bigint primary key,
  singleton       boolean not null default true unique check (singleton),
  holder          text,
  holder_backends integer[] not null default '{}',
  expires_at      timestamptz not null
);
insert into lease (epoch, expires_at) values (0, '-infinity');

-- Claims, and the release of waiting moves, are serialised by this row.
create table claim_lock (singleton boolean primary key default true check (singleton));
insert into claim_lock default values;

create table route (
  route_id            integer generated always as identity primary key,
  -- SHA-256 of the route's key: its fields can be longer than an index entry may be.
  identity            bytea not null unique,
  product_key         text not null,
  source_instance_id  text not null,
  strategy            smallint not null check (strategy in (0, 1)),
  target_instance_ids text[] not null check (cardinality(target_instance_ids) >= 1),
  target_uid          text,
  target_aliyun_id    text,
  priority            text not null check (priority in ('normal', 'urgent')),
  created_at          timestamptz not null default now(),
  held_at             timestamptz,
  held_reason         text,
  check (num_nonnulls(target_uid, target_aliyun_id) = 1),
  check ((held_at is null) = (held_reason is null))
);

-- How far a route's log is written and how far it is claimed lie in two rows, so that intake and claims do not
-- wait for each other. "Again" counts positions whose attempt is above 1.
create table route_intake (
  route_id       integer primary key references route,
  appended       bigint not null default 0,
  appended_again bigint not null default 0,
  -- First-time appends: moves taken in, duplicates included.
  accepted       bigint not null default 0
) with (fillfactor = 50);

create table route_claims (
  route_id      integer primary key references route,
  claimed       bigint not null default 0,
  claimed_again bigint not null default 0,
  duplicates    bigint not null default 0,
  superseded    bigint not null default 0
) with (fillfactor = 50);

-- Next offset of each partition (or file), moved on in the transaction that appends.
create table consumed (
  source_id            integer generated always as identity primary key,
  cluster_id           text not null,
  topic                text not null,
  partition            integer not null,
  next_offset          bigint not null default 0,
  -- Repeats of what had been rejected before.
  repeated_rejections  bigint not null default 0,
  unique (cluster_id, topic, partition)
) with (fillfactor = 50);

-- One number a chunk; a move's place in the order of acceptance is chunk * 32768 + its index in the chunk.
create sequence acceptance;

-- A route is a log: rows are appended at the next position and never updated. No foreign keys: one check a row
-- would halve the speed, and only the journal writes here.
create table move (
  route_id      integer not null,
  seq           bigint not null,
  attempt       smallint not null,
  source_id     integer not null,
  source_offset bigint not null,
  -- Order of first acceptance, the same for every attempt: it names the move.
  accepted      bigint not null,
  requested_at  timestamptz not null,
  appended_at   timestamptz not null,
  device_name   text not null,
  request_id    text not null,
  traceparent   text,
  primary key (route_id, seq)
);
create index move_device on move using hash (device_name);

-- Positions of claimed ranges that are in no job: a repeat of a request, or one that had to wait (and is now in
-- `requeue` or appended anew), or one replaced by a newer request.
create table left_out (
  route_id integer not null,
  seq      bigint not null,
  reason   text not null check (reason in ('duplicate', 'waiting', 'superseded')),
  primary key (route_id, seq)
);

create table job (
  job_id            bigint generated always as identity primary key,
  route_id          integer not null references route,
  from_seq          bigint not null,
  to_seq            bigint not null,
  -- Positions of the range that are not left out, and how many distinct devices they are.
  moves             integer not null check (moves >= 1),
  devices           integer not null check (devices between 1 and moves),
  status            text not null default 'claimed' check (status in
    ('claimed', 'creating', 'unknown', 'running', 'completed', 'interrupted', 'refused', 'settled')),
  -- How a settled (or split) job had ended.
  ended_as          text check (ended_as in ('completed', 'interrupted', 'refused')),
  provider_job_id   text unique,
  -- Creates refused as a whole, those of the batches it was split from included; so many of them are theirs.
  refusals          integer not null default 0,
  inherited_refusals integer not null default 0,
  calls             integer not null default 0,
  split_from        bigint references job,
  -- The batch all of its kind were split from; null if it was not split off.
  family            bigint references job,
  claimed_at        timestamptz not null default now(),
  create_started_at timestamptz,
  created_at        timestamptz,
  finished_at       timestamptz,
  settled_at        timestamptz,
  held_at           timestamptz,
  held_reason       text,
  -- Why the last create was refused or stayed without an answer.
  last_error        text,
  -- Counts over its moves once settled: final ones, and those sent on to another attempt.
  moved             integer,
  failed            integer,
  retried           integer,
  check (from_seq <= to_seq),
  check ((held_at is null) = (held_reason is null)),
  check (status not in ('creating', 'unknown', 'running', 'completed', 'interrupted') or create_started_at is not null),
  check (status not in ('running', 'completed', 'interrupted') or provider_job_id is not null),
  check (status not in ('completed', 'interrupted') or finished_at is not null),
  check (refusals >= inherited_refusals and (family is null) = (split_from is null)),
  check ((status in ('refused', 'settled')) = (ended_as is not null)),
  check ((status = 'settled') = (settled_at is not null)),
  check ((status = 'settled') = (num_nonnulls(moved, failed, retried) = 3)),
  check (status <> 'settled' or moved + failed + retried = moves)
);
create index job_unfinished on job (job_id) where status not in ('refused', 'settled');
create index job_family on job (family) where family is not null;
create index job_range on job (route_id, from_seq);

create table result_file (
  job_id       bigint primary key references job,
  received_at  timestamptz not null default now(),
  content_type text,
  bytes        bigint not null,
  gzipped      bytea not null
);
alter table result_file alter column gzipped set storage external;

-- One row a sent attempt, written for a whole job at once; when is the job's `settled_at`.
create table outcome (
  route_id integer not null,
  seq      bigint not null,
  job_id   bigint not null,
  final    boolean not null,
  outcome  text not null check (outcome in ('moved', 'failed')),
  code     text not null,
  message  text,
  primary key (route_id, seq),
  check (final or outcome = 'failed')
);

-- Moves between two places in a route's log: due ones are appended again and deleted here. One with `waits_for`
-- has no due time: it is released when an attempt of that move (named by its order of acceptance) has ended.
create table requeue (
  requeue_id    bigint generated always as identity primary key,
  route_id      integer not null,
  attempt       smallint not null,
  source_id     integer not null,
  source_offset bigint not null,
  accepted      bigint not null,
  requested_at  timestamptz not null,
  device_name   text not null,
  request_id    text not null,
  traceparent   text,
  due_at        timestamptz,
  waits_for     bigint,
  check ((due_at is null) = (waits_for is not null))
);
create index requeue_due on requeue (due_at) where due_at is not null;
create index requeue_waiting on requeue (waits_for) where waits_for is not null;
create index requeue_device on requeue using hash (device_name);

create table rejection (
  source_id           integer not null,
  source_offset       bigint not null,
  ordinal             integer not null,
  rejected_at         timestamptz not null,
  requested_at        timestamptz not null,
  request_id          text not null,
  product_key         text,
  device_name         text,
  source_instance_id  text,
  target_instance_ids text[],
  strategy            smallint,
  code                text not null,
  message             text not null,
  traceparent         text,
  dead_letter         bytea not null,
  original_size       integer,
  primary key (source_id, source_offset, ordinal)
);
-- A repeat of a rejected request is the same request: one outcome only. Where the device is not known, two bad
-- records with one id may well be different requests, so each keeps its outcome.
create unique index rejection_repeat on rejection (
  md5(request_id || chr(31) || coalesce(product_key, '') || chr(31) ||
    coalesce(device_name, '#' || source_id || '/' || source_offset || '/' || ordinal))
);

-- What is to be published, in order. Ids come from the counter, which every transaction updates last: so they
-- appear without gaps and in the order of their commits (a sequence would let 8 appear before 7).
create table outbox (
  outbox_id   bigint primary key,
  job_id      bigint references job,
  -- Or the rejections of a range of offsets.
  source_id   integer references consumed,
  from_offset bigint,
  to_offset   bigint,
  outcomes    integer not null,
  check ((job_id is null) = (source_id is not null)),
  check (num_nonnulls(source_id, from_offset, to_offset) in (0, 3))
);
create table outbox_counter (
  singleton boolean primary key default true check (singleton),
  last_id   bigint not null default 0
) with (fillfactor = 50);
insert into outbox_counter default values;

create table published (
  publisher    text primary key,
  position     bigint not null,
  published_at timestamptz not null default now()
) with (fillfactor = 50);
