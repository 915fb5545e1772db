-- What is known of a meter for a span of time. $1 series, $2 from, $3 to
-- -> register_max float8 (up to the first of these events), cadence_s float8,
--    max_rate_per_min float8; at timestamptz, type int4 (0 rollover, 1 reset,
--    2 swap), old_index, new_index, width float8: of each event in the span;
--    type 3: a quality flag in force, from `at` to `until` timestamptz. Oldest
--    first, at most 10001; at and type NULL in the one row of a meter without.
WITH known AS (
	SELECT at, array_position('{rollover,reset,swap}', type) - 1 AS type,
	    old_index, new_index, register_max AS width,
	    NULL::timestamptz AS until
	FROM meter_events
	WHERE series_id = $1::int4 AND voided_at IS NULL
	    AND at >= $2::timestamptz AND at < $3::timestamptz
	UNION ALL
	SELECT from_ts, 3, NULL, NULL, NULL, to_ts FROM quality_flags
	WHERE series_id = $1 AND cleared_at IS NULL
	    AND to_ts > $2 AND from_ts < $3
)
SELECT register_at(s, $2) AS register_max, s.cadence_s, s.max_rate_per_min,
    k.at, k.type, k.old_index, k.new_index, k.width, k.until
FROM series s LEFT JOIN known k ON true
WHERE s.id = $1
ORDER BY k.at LIMIT 10001
