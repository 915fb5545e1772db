-- One system to judge. $1 int4 zone, $2 timestamptz now
-- -> code text, step_s int4, state bytea of the steps before upto timestamptz,
--    told, ready timestamptz; of what is open: lead int4 (NULL: nothing is),
--    manipulation bool, warning bool, since timestamptz, calm, sensor,
--    process int4; fitted_at timestamptz, by which put knows that nobody
--    learnt it meanwhile; gone bool: fewer than two of its signals are left in
--    its zone
SELECT z.code, t.step_s, t.state, t.upto, t.told, (
	SELECT system_ready($2::timestamptz, t.step_s, min(l.ts), max(l.ts))
	FROM series_latest l WHERE l.series = ANY (t.members)),
    t.lead, t.manipulation, t.severity = 'warning', t.since, t.calm,
    t.sensor, t.process, t.fitted_at, (SELECT count(*) < 2 FROM system_series v
	WHERE v.zone_id = t.zone_id AND v.id = ANY (t.members))
FROM system_states t JOIN zones z ON z.id = t.zone_id
WHERE t.zone_id = $1::int4 AND t.state IS NOT NULL
