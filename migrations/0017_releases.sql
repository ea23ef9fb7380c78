-- Up Migration

set local search_path to device_move_journal;

-- Moves that have ended while so many others waited for them that not all were released in that transaction. The next
-- claims release the rest. Before going back to a release without this table, wait until it is empty.
create table release_due (accepted bigint primary key);
