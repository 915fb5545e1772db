-- $1 int4 pid of the backend that holds segments_lock(): waits until nobody
-- may have planned without the partitions that were made
SELECT segments_await($1::int4, '1 s')
