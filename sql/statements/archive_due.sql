-- Partitions to archive: those wholly before $1 timestamptz or, if it is NULL,
-- older than their class keeps them (what was restored stays for 30 days); of
-- class $2 text or, if NULL, of any; and what was left half done. Never what
-- is younger than three days.
-- -> class int4, code, from, to, archive int4 or NULL, state or NULL
SELECT c.id::int4, c.code, p.lo, p.hi, a.id, a.state
FROM archive_partitions() p
JOIN retention_classes c ON c.id = p.class
LEFT JOIN archives a ON a.class = p.class AND a.from_ts = p.lo
WHERE ($2::text IS NULL OR c.code = $2)
    AND p.hi <= now() - interval '3 days'
    AND (a.state IN ('verified', 'dropped', 'restoring')
        OR p.hi <= $1::timestamptz
        OR ($1 IS NULL AND p.hi <= now() - c.keep_days * interval '1 day'
            AND (a.state IS DISTINCT FROM 'restored'
                OR a.restored_at < now() - interval '30 days')))
ORDER BY p.hi, c.id
