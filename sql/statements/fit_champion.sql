-- The champion of a series. $1 int4 series
-- -> id int8, format int4, model bytea
SELECT id, format, model FROM models
WHERE series_id = $1::int4 AND state = 'champion'
