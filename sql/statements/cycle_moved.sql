-- $1 int8 mark: what imports stored since, under the lock of segments.
-- -> mark int8, series int4, ts timestamptz, value float8, rising by series
SELECT mark, series, ts, value FROM import_marks WHERE mark > $1::int8
ORDER BY series
