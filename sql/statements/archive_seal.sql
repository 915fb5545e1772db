-- Let the proven files of an archive answer. $1 archive int4
-- -> 'verified', or why not: 'touched', 'logged'
SELECT archive_seal($1::int4)
