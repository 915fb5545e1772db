-- A new model. $1 int4 series, $2 timestamptz trained_from, $3 timestamptz
-- trained_to, $4 int4 origins, $5 int4 hours, $6 float8 mae, $7 float8
-- naive_mae, $8 int4 inside, $9 int8 rival or NULL, $10 float8 rival_mae, $11
-- int2 1: it was better, $12 int4 format, $13 bytea model
-- -> id int8, reigns bool
SELECT id, state = 'champion' FROM model_add(ROW(NULL, $1::int4, NULL, NULL,
    NULL, NULL, $2::timestamptz, $3::timestamptz, $4::int4, $5::int4,
    $6::float8, $7::float8, $8::int4, $9::int8, $10::float8, $12::int4,
    $13::bytea, NULL, NULL, NULL, NULL)::models, $11::int2 = 1)
