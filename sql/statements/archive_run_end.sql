-- A run has ended. $1 run int4, $2 what failed first text or NULL
UPDATE archive_runs SET said_at = clock_timestamp(),
    ended_at = clock_timestamp(), error = left($2::text, 1000)
WHERE id = $1::int4
