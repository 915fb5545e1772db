-- Spans that only the archive answers, of each metric. -> metric, from, to as
-- µs since 1970
SELECT m.code, (extract(epoch FROM a.from_ts) * 1000000)::int8,
    (extract(epoch FROM a.to_ts) * 1000000)::int8
FROM archives a JOIN metrics m ON m.class = a.class
WHERE a.state IN ('verified', 'dropped', 'restoring')
ORDER BY m.code, a.from_ts
