-- $1 int4[] series -> series int4, version int4, state bytea, tail bytea,
-- upto timestamptz, open int4, calm int4, since timestamptz
SELECT series, version, state, tail, upto, open, calm, since
FROM watch_states WHERE series = ANY ($1::int4[]) ORDER BY series
