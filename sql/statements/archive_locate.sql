-- Where archived readings of a series lie. $1 series int4, $2 and $3 the span
-- asked for, $4 and $5 its ends as blocks begin with them (bytea), $6 blocks
-- at most int4. Binary.
-- -> class, day, path or NULL, bytes int8, header, blocks, whole to
SELECT class, day::text, path, bytes, header, blocks, whole_to
FROM archive_locate($1::int4, $2::timestamptz, $3::timestamptz, $4::bytea,
    $5::bytea, $6::int4)
