-- Hours of the wall's clock. $1 first hour, $2 last, $3 IANA zone
-- -> hours int8[] since 1970-01-01T00 of that clock
SELECT array_agg(floor(extract(epoch FROM h AT TIME ZONE $3::text) / 3600)::int8
    ORDER BY h)
FROM generate_series($1::timestamptz, $2::timestamptz, interval '1 hour') h
