-- -> newest change number, and whether every change up to it is visible to
-- later statements: whoever stamps a change holds this lock until its end.
SELECT CASE WHEN is_called THEN last_value ELSE 0 END,
    CASE WHEN pg_try_advisory_lock_shared(7305804402)
	THEN pg_advisory_unlock_shared(7305804402) ELSE false END
FROM change_seq
