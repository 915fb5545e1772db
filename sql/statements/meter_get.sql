-- What is known of a meter for a span of time. $1 series, $2 from, $3 to
-- -> register_max float8 (up to the first of these events), cadence_s float8,
--    max_rate_per_min float8; at timestamptz, type int4 (0 rollover, 1 reset,
--    2 swap), old_index, new_index, width float8: of each event in the span,
--    oldest first, at most 10001; all NULL in the one row of a meter without.
SELECT register_at(s, $2::timestamptz) AS register_max, s.cadence_s,
    s.max_rate_per_min, e.at,
    array_position('{rollover,reset,swap}', e.type) - 1 AS type,
    e.old_index, e.new_index, e.register_max AS width
FROM series s LEFT JOIN meter_events e ON e.series_id = s.id
    AND e.voided_at IS NULL AND e.at >= $2 AND e.at < $3::timestamptz
WHERE s.id = $1::int4
ORDER BY e.at LIMIT 10001
