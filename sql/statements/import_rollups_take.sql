-- Side by side $1 int4[] series, $2 int4[] width_s, $3 timestamptz[] begin of
-- a span: what is packed of it is removed, to be packed anew.
-- -> ord int8 (from 1), packed bytea, in that order
SELECT ord, data
FROM rollups_packed_take($1::int4[], $2::int4[], $3::timestamptz[])
