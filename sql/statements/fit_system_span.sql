-- Until when a system may learn: where its judge has come to, else until when
-- its steps are over. $1 int4 zone, $2 timestamptz now, $3 int4 step_s,
-- $4 int4[] signals -> timestamptz
SELECT coalesce((SELECT t.upto FROM system_states t WHERE t.zone_id = $1::int4
	AND t.state IS NOT NULL AND t.step_s = $3::int4),
    (SELECT system_ready($2::timestamptz, $3, min(l.ts), max(l.ts))
	FROM series_latest l WHERE l.series = ANY ($4::int4[])))
