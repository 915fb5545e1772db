-- $1 ids text[], $2 when each was used, microseconds since 1970, bigint[]
-- -> one row, void
SELECT keys_used($1::text[], $2::bigint[])
