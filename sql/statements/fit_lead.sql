-- The one lock of the one that fits, kept by the session. -> got bool
SELECT pg_try_advisory_lock(7305804420)
