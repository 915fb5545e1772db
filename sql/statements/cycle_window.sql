-- $1 int4 series, $2 int2 class, $3 timestamptz from, $4 timestamptz to:
-- packed readings of each segment that overlaps [from, to)
SELECT data FROM segments
WHERE series = $1::int4 AND class = $2::int2
    AND t0 >= date_trunc('month', $3::timestamptz, 'UTC')
    AND t0 < $4::timestamptz AND t1 >= $3::timestamptz
