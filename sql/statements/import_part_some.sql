-- A part is stored as far as (series, ts). $1 import, $2 part, $3 SHA-256 in
-- hex, $4 accepted, $5 duplicates, $6 series, $7 µs since 1970
-- -> one row, none if the import takes no parts any more
INSERT INTO import_parts AS p (import_id, part, sha256, accepted, duplicates,
    series, ts)
SELECT i.id, $2::int, $3::text, $4::bigint, $5::bigint, $6::int4,
    packed_instant($7::bigint)
FROM imports i
WHERE i.id = $1::bigint AND i.state = 'open' AND i.next_part = $2::int
FOR UPDATE
ON CONFLICT (import_id, part) DO UPDATE SET sha256 = excluded.sha256,
    accepted = excluded.accepted, duplicates = excluded.duplicates,
    series = excluded.series, ts = excluded.ts
RETURNING true
