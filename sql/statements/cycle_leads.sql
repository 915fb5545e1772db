-- Whether this session holds the loop's lock. -> bool
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND pid = pg_backend_pid() AND objsubid = 1
    AND (classid::int8 << 32 | objid::int8) = 7305804401)
