-- What /ready tells of the database: its schema and when the loop last ran.
-- -> newest migration, seconds since the last cycle (null: none yet), paused
SELECT (SELECT max(version) FROM schema_migrations),
    extract(epoch FROM now() - cycle_at), paused
FROM loop_status
