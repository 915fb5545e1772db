-- What came of a series. $1 int8 run or NULL, $2 int4 series, $3 why there is
-- no new forecast, or NULL, $4 int4 1: it was forecast, $5 int4 1: a model was
-- learnt, $6 int4 1: which reigns, $7 int4 1: none could be learnt
WITH run AS (
	UPDATE fit_runs SET predicted = predicted + $4::int4,
	    fitted = fitted + $5::int4, crowned = crowned + $6::int4,
	    refused = refused + $7::int4
	WHERE id = $1::int8)
UPDATE forecast_states SET refused = $3::text WHERE series_id = $2::int4
