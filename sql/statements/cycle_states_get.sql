-- $1 int4[] series -> series int4, state bytea
SELECT series, state FROM series_states WHERE series = ANY ($1::int4[])
