-- $1 int8 id, $2 int8 most rows
-- -> id, received_at, series[], ts[], value[], quality[] after that id
SELECT id, received_at, series, ts, value, quality
FROM ingest_log WHERE id > $1::int8 ORDER BY id LIMIT $2::int8
