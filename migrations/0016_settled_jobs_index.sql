-- Outside a transaction
-- Finds what was settled of late: the pace of the last quarter of an hour, the failures of a day.
create index concurrently if not exists job_settled on device_move_journal.job (settled_at) where status = 'settled';
