-- Drop the partition of a verified archive. $1 archive int4
-- -> 'dropped', or why not: 'touched'
SELECT archive_drop($1::int4)
