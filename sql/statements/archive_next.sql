-- The first time from $4 on that a row of a partition spans, or NULL. $1 class
-- int4, $2 and $3 the partition's span -> timestamptz
SELECT min(greatest(t0, $4::timestamptz)) FROM segments
WHERE class = $1::int4::int2 AND t0 >= $2::timestamptz
    AND t0 < $3::timestamptz AND t1 >= $4
