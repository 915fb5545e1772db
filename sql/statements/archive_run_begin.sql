-- A run begins, under archive_lock: whatever seems to be at work is dead.
-- $1 whether of all that is due boolean -> its id int4
WITH dead AS (
    UPDATE archive_runs SET ended_at = said_at,
        error = 'it was ended before it had done'
    WHERE ended_at IS NULL),
gone AS (
    DELETE FROM archive_runs WHERE began_at < now() - interval '400 days')
INSERT INTO archive_runs (due) VALUES ($1::boolean) RETURNING id
