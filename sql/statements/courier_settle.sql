-- What came of a delivery. $1 int webhook, $2 int8 event, $3 int attempt,
-- $4 int2 1: delivered, $5 int status or 0, $6 text error or NULL, $7 float8
-- life in seconds, after which it is a dead letter
SELECT delivery_settle($1::int, $2::int8, $3::int, $4::int2 = 1,
    nullif($5::int, 0), $6::text, $7::float8)
