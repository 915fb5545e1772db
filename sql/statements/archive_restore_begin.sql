-- A table for the readings of a dropped archive. $1 archive int4 -> void
SELECT archive_restore_begin($1::int4)
