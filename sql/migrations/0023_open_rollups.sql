-- The newest 5 minutes of a series that is heard often: every cycle adds to
-- them, and a row a series is written sooner than one of each width. They are
-- in no other table, and a part of their bucket of every width, whose parts
-- add up; once the next ones begin they go to rollups_fresh.
CREATE TABLE rollups_open (
	series   int4 PRIMARY KEY,
	bucket   timestamptz NOT NULL,
	n        int8 NOT NULL,
	good     int8 NOT NULL,
	sum      float8 NOT NULL,
	min      float8 NOT NULL,
	max      float8 NOT NULL,
	sumsq    float8 NOT NULL,
	first_ts timestamptz NOT NULL,
	first    float8 NOT NULL,
	last_ts  timestamptz NOT NULL,
	last     float8 NOT NULL
) WITH (fillfactor = 50);

-- As rows of rollups_fresh.
CREATE VIEW rollups_open_wide AS
SELECT o.series, w.width_s, date_bin(w.width_s * interval '1 second', o.bucket,
    timestamptz '1970-01-01 00:00:00+00') AS bucket, o.n, o.good, o.sum, o.min,
    o.max, o.sumsq, o.first_ts, o.first, o.last_ts, o.last
FROM rollups_open o CROSS JOIN unnest('{300,3600,86400}'::int4[]) AS w(width_s);

-- One row per series, width and bucket, for anybody with psql.
CREATE OR REPLACE VIEW rollups AS
SELECT series, width_s, bucket, sum(n)::int8 AS n, sum(good)::int8 AS good,
    sum(sum) AS sum, min(min) AS min, max(max) AS max, sum(sumsq) AS sumsq,
    min(first_ts) AS first_ts, (array_agg(first ORDER BY first_ts))[1] AS first,
    max(last_ts) AS last_ts,
    (array_agg(last ORDER BY last_ts DESC))[1] AS last
FROM (
	SELECT * FROM rollups_fresh
	UNION ALL
	SELECT * FROM rollups_open_wide
	UNION ALL
	SELECT p.series, p.width_s, u.*
	FROM rollups_packed p, LATERAL packed_rollups(p.data) u
) r
GROUP BY series, width_s, bucket;

-- The open ones of these days are summed again with the others.
ALTER FUNCTION rollups_again(int, timestamptz, timestamptz)
    RENAME TO rollups_closed_again;
CREATE FUNCTION rollups_again(wanted int, since timestamptz,
    until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM segments_lock();
	DELETE FROM rollups_open WHERE series = wanted AND bucket >= since
	    AND bucket < until;
	PERFORM rollups_closed_again(wanted, since, until);
END $$;
