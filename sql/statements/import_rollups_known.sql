-- One row per asked series and width: $1 int4[] series, $2 int4[] width_s,
-- $3, $4 timestamptz[] first and last bucket asked for.
-- -> ord int8 (from 1), bucket of each roll-up that is there
SELECT q.ord, r.bucket
FROM unnest($1::int4[], $2::int4[], $3::timestamptz[], $4::timestamptz[])
    WITH ORDINALITY AS q(series, width, lo, hi, ord),
LATERAL (SELECT u.bucket FROM rollups_fresh u WHERE u.series = q.series
    AND u.width_s = q.width AND u.bucket >= q.lo AND u.bucket <= q.hi
    OFFSET 0) r
