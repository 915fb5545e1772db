-- $1 int4[] series, $2 bytea[] tail, $3 int4[] open, $4 int4[] calm,
-- $5 timestamptz[] since, $6 int4[] version, $7 bytea[] state,
-- $8 timestamptz[] upto
INSERT INTO watch_states (series, tail, open, calm, since, version, state, upto)
SELECT * FROM unnest($1::int4[], $2::bytea[], $3::int4[], $4::int4[],
    $5::timestamptz[], $6::int4[], $7::bytea[], $8::timestamptz[])
ON CONFLICT (series) DO UPDATE SET tail = excluded.tail, open = excluded.open,
    calm = excluded.calm, since = excluded.since, version = excluded.version,
    state = excluded.state, upto = excluded.upto
