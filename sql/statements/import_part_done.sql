-- The end of a part. $1 import, $2 part, $3 SHA-256 in hex, $4 answer,
-- $5 accepted, $6 duplicates, $7 header or NULL, $8 bytes of CSV,
-- $9 jsonb rejected by reason, $10 µs since 1970 when it began, $11 empty rows
-- -> one row, none if the import takes no parts any more
SELECT FROM import_part_done($1::bigint, ROW($1::bigint, $2::int, $3::text,
    $4::text, $5::bigint, $6::bigint, NULL, NULL)::import_parts, $7::text,
    $8::bigint, $9::jsonb,
    packed_instant($10::bigint), $11::bigint) AS ok
WHERE ok
