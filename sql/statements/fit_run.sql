-- The run that is to be at work now. $1 zone, $2 hh:mm, $3 float8 budget in s
-- -> id int8, began_at timestamptz, left_s float8; no row if none is
SELECT id, began_at, left_s FROM fit_run($1::text, $2::text::time, $3::float8)
