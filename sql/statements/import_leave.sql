-- Gives up import_place. -> one row
SELECT pg_advisory_unlock(7305804406)
