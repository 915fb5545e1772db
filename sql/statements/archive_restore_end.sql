-- Make that table the partition it was. $1 archive int4 -> void
SELECT archive_restore_end($1::int4)
