-- What became of a system. $1 int4 zone, $2 bytea state (NULL: as it is), $3
-- timestamptz upto, $4 told, $5 json newest, $6 int4 lead (NULL: nothing is
-- open), $7 int4 manipulation (0, 1), $8 text severity, $9 timestamptz since,
-- $10 int4 calm, $11 int4 sensor, $12 process, $13
-- timestamptz fitted_at
UPDATE system_states SET state = coalesce($2::bytea, state),
    upto = $3::timestamptz, told = $4::timestamptz,
    newest = coalesce($5::text::json, newest),
    lead = $6::int4, manipulation = $7::int4 = 1, severity = $8::text,
    since = $9::timestamptz, calm = $10::int4, sensor = $11::int4,
    process = $12::int4
WHERE zone_id = $1::int4 AND fitted_at = $13::timestamptz
