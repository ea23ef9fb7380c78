-- Up Migration

set local search_path to device_move_journal;

-- When `lost_records` was last raised.
alter table consumed add column lost_at timestamptz;
