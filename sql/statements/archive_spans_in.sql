-- Archives in a state of $1 text[] that touch the span from $2 to $3 (either
-- may be NULL), of class $4 text or, if NULL, of any
-- -> archive int4, class int4, code, from, to, state
SELECT a.id, a.class::int4, c.code, a.from_ts, a.to_ts, a.state
FROM archives a JOIN retention_classes c ON c.id = a.class
WHERE a.state = ANY ($1::text[])
    AND ($2::timestamptz IS NULL OR a.to_ts > $2)
    AND ($3::timestamptz IS NULL OR a.from_ts < $3)
    AND ($4::text IS NULL OR c.code = $4)
ORDER BY a.from_ts, a.class
