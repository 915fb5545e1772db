-- One keeper of the hot tier for all instances -> leads bool. Binary.
SELECT pg_try_advisory_lock(7305804409)
