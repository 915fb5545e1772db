-- $1 import, $2 part -> state, next part, alarms, header or NULL, then of the
-- part, NULL if it never came: SHA-256 in hex, answer (NULL: not done),
-- accepted, duplicates, newest series stored, its µs since 1970
SELECT i.state, i.next_part, i.alarms, i.header, p.sha256, p.answer,
    p.accepted, p.duplicates, p.series,
    packed_us(p.ts)
FROM imports i
LEFT JOIN import_parts p ON p.import_id = i.id AND p.part = $2::int
WHERE i.id = $1::bigint
