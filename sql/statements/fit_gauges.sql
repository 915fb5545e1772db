-- What /metrics tells of forecasts. -> of the newest night series predicted,
-- fitted, crowned, refused, not reached yet int4, when it began us since 1970
-- int8, seconds that the last whole one took float8, series with a forecast of
-- the last 36 hours, and without int8, age of the oldest champion in s float8,
-- champions that a person promoted int8
SELECT coalesce(r.predicted, 0), coalesce(r.fitted, 0),
    coalesce(r.crowned, 0), coalesce(r.refused, 0),
    coalesce(r.left_over, s.waiting),
    coalesce(extract(epoch FROM r.began_at) * 1000000, 0)::int8,
    coalesce((SELECT extract(epoch FROM e.ended_at - e.began_at)::float8
	FROM fit_runs e WHERE e.ended_at IS NOT NULL
	ORDER BY e.id DESC LIMIT 1), 0),
    s.fresh, s.bare, m.oldest, m.promoted
FROM (SELECT) one
LEFT JOIN LATERAL (SELECT * FROM fit_runs ORDER BY id DESC LIMIT 1) r ON true
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE coalesce(f.tried_at, '-infinity')
		< r.began_at)::int4 AS waiting,
	    count(*) FILTER (WHERE p.fresh) AS fresh,
	    count(*) FILTER (WHERE p.fresh IS NOT TRUE) AS bare
	FROM forecast_series v LEFT JOIN forecast_states f ON f.series_id = v.id
	    LEFT JOIN LATERAL (SELECT o.origin >= now() - interval '36 h'
		AS fresh FROM predictions o WHERE o.series_id = v.id
		ORDER BY o.made_at DESC LIMIT 1) p ON true) s
CROSS JOIN LATERAL (
	SELECT coalesce(extract(epoch FROM clock_timestamp()
	- min(c.fitted_at)), 0)::float8
	    AS oldest, count(c.promoted_at) AS promoted
	FROM models c JOIN forecast_series v ON v.id = c.series_id
	WHERE c.state = 'champion') m
