-- $1 int4 shard -> whether this session owns it now bool
SELECT pg_try_advisory_lock(73058045, $1::int4)
