-- A file that lies where it shall. $1 archive int4, $2 its day's begin, $3
-- shard int4, $4 path, $5 readings int8, $6 series int8, $7 and $8 first and
-- last time, $9 bytes int8, $10 sha256, $11 header, $12 blocks, all bytea
INSERT INTO archive_files (archive_id, day, shard, path, readings, series,
    first_ts, last_ts, bytes, sha256, header, blocks)
VALUES ($1::int4, ($2::timestamptz AT TIME ZONE 'UTC')::date,
    $3::int4::int2, $4::text, $5::int8, $6::int8, $7::timestamptz,
    $8::timestamptz, $9::int8, $10::bytea, $11::bytea, $12::bytea)
