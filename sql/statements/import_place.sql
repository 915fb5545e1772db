-- The one place that a database has for a part at work; kept until
-- import_leave or the end of the session. Others wait for it, as long as
-- lock_timeout says. -> one row
SELECT pg_advisory_lock(7305804406)
