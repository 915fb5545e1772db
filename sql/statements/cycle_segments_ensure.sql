-- $1 timestamptz: its month gets a partition
SELECT segments_ensure($1::timestamptz)
