-- $1 int8 run has ended -> predicted, fitted, crowned, refused, left_over int4
UPDATE fit_runs r SET ended_at = clock_timestamp(), left_over = (
	SELECT count(*) FROM forecast_series v
	    LEFT JOIN forecast_states f ON f.series_id = v.id
	WHERE coalesce(f.tried_at, '-infinity') < r.began_at)
WHERE r.id = $1::int8
RETURNING predicted, fitted, crowned, refused, left_over
