-- $1 int2 class, $2 timestamptz: that class's month gets a partition
SELECT segments_make($1::int2, $2::timestamptz)
