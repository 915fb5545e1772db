-- $1 int2 class, $2 timestamptz: whether that class's month has a partition
SELECT to_regclass((segments_span($1::int2, $2::timestamptz)).part) IS NOT NULL
