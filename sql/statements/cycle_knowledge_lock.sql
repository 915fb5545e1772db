-- Until the transaction, or the savepoint before it, ends, knowledge stays
-- as it is.
SELECT pg_advisory_xact_lock_shared(7305804402)
