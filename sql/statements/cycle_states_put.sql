-- $1 int4[] series, $2 bytea[] state
INSERT INTO series_states (series, state)
SELECT * FROM unnest($1::int4[], $2::bytea[])
ON CONFLICT (series) DO UPDATE SET state = excluded.state
