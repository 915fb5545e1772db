-- $1 timestamptz: months that begin before are over. Writes the partitions of
-- one of them anew, if its rows are joined -> bool: there may be more
SELECT segments_rewrite_next($1::timestamptz)
