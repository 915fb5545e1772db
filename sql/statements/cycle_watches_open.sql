-- -> series int4, version int4, state bytea, tail bytea, upto timestamptz,
-- open int4, calm int4, since timestamptz; of those with something open
SELECT series, version, state, tail, upto, open, calm, since
FROM watch_states WHERE open & 1 = 1 ORDER BY series
