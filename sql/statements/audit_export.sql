-- The record in lines, oldest first. $1 to $6 as in audit_list, $7 limit, $8
-- last id before, $9 csv | ndjson -> id, text of a line
SELECT a.id, CASE $9::text WHEN 'csv' THEN audit_csv(a)
    ELSE audit_json(a)::text END
FROM (
	SELECT a.* FROM audit a
	WHERE ($1::timestamptz IS NULL OR a.at >= $1)
	    AND ($2::timestamptz IS NULL OR a.at < $2)
	    AND ($3::text IS NULL OR a.actor = $3)
	    AND ($4::text IS NULL OR a.nodes @> ARRAY[$4])
	    AND ($5::text IS NULL OR a.action = $5)
	    AND ($6::text IS NULL OR a.outcome = $6)
	    AND a.id > $8::bigint
	ORDER BY a.id LIMIT $7::int
) a ORDER BY a.id
