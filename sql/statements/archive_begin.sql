-- Take up the archive of a partition. $1 class int4, $2 a time in it
-- -> id int4
SELECT archive_begin($1::int4::int2, $2::timestamptz)
