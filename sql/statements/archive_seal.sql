-- Let the proven files of an archive answer. $1 archive int4 -> boolean: done
SELECT archive_seal($1::int4)
