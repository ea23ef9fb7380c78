-- Outside a transaction
-- Finds the refused route that is to be tried next.
create index concurrently if not exists route_retry on device_move_journal.route (retry_at) where retry_at is not null;
