-- $1 int4[] series, $2 timestamptz[] ts, $3 float8[] value: the newest reading
-- that an import stored of each, for the loop
WITH again AS (
	INSERT INTO leak_again SELECT unnest($1::int4[])
	ON CONFLICT DO NOTHING)
INSERT INTO import_marks AS m (series, ts, value, mark)
SELECT u.*, nextval('import_mark_seq')
FROM unnest($1::int4[], $2::timestamptz[], $3::float8[]) AS u
ON CONFLICT (series) DO UPDATE SET ts = excluded.ts, value = excluded.value,
    mark = excluded.mark
WHERE excluded.ts > m.ts
