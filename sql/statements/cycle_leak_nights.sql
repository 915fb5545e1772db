-- $1 int4 lead, $2 int4[] days since 1970, $3 float8[] least flow, $4 float8[]
-- mean flow
-- Nights of more than three years ago go.
WITH old AS (DELETE FROM night_flows WHERE lead = $1::int4
    AND night < date '1970-01-01' + (SELECT max(d) FROM unnest($2::int4[]) d)
    - 1100)
INSERT INTO night_flows (lead, night, least, mean)
SELECT $1::int4, date '1970-01-01' + u.day, u.least, u.mean
FROM unnest($2::int4[], $3::float8[], $4::float8[]) AS u(day, least, mean)
ON CONFLICT (lead, night) DO UPDATE SET least = excluded.least,
    mean = excluded.mean
