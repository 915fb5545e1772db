-- $1 timestamptz days, $2 months that begin before are over, $3 timestamptz
-- what was tidied after that rests -> monthly bool, from, to timestamptz, last
-- series done int4 (NULL: a pass begins): the oldest span that has work, the
-- one that is under way first, days before months
SELECT monthly, at, at + CASE WHEN monthly THEN interval '1 month'
    ELSE interval '1 day' END, done
FROM segment_spans
WHERE (dirty OR done IS NOT NULL)
    AND at < CASE WHEN monthly THEN $2::timestamptz ELSE $1::timestamptz END
    AND (done IS NOT NULL OR tidied IS NULL OR tidied < $3::timestamptz)
ORDER BY done IS NULL, monthly, at
LIMIT 1
