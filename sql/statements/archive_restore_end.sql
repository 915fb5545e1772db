-- Make that table the partition it was; its days and months are joined again,
-- as a row per series and day is more than few readings need. $1 archive int4
-- -> void, void
SELECT archive_restore_end($1::int4), segments_touched(
    (SELECT array_agg(f.first_ts) FROM archive_files f
	WHERE f.archive_id = $1::int4))
