-- $1 int4 gateway, $2 int4 failures, $3 timestamptz open_until
INSERT INTO gateway_breakers (gateway_id, failures, open_until)
VALUES ($1::int4, $2::int4, $3::timestamptz)
ON CONFLICT (gateway_id) DO UPDATE SET failures = excluded.failures,
    open_until = excluded.open_until
