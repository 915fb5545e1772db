-- $1 int4 shard, which this session owns -> bool
SELECT pg_advisory_unlock(73058045, $1::int4)
