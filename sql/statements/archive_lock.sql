-- One archiver works on a database at a time; the lock goes with the
-- connection. -> boolean
SELECT pg_try_advisory_lock(7305804407)
