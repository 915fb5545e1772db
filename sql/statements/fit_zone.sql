-- What $1 zone is ahead of UTC from $2 timestamptz to $3 timestamptz.
-- -> since timestamptz, ahead_s int4, rising
SELECT t, ahead_s FROM (
	SELECT t, ahead_s, lag(ahead_s) OVER (ORDER BY t) AS before
	FROM generate_series($2::timestamptz, $3::timestamptz, '1 h') t,
	LATERAL (SELECT extract(epoch FROM (t AT TIME ZONE $1::text)
	    - (t AT TIME ZONE 'UTC'))::int4 AS ahead_s) z) s
WHERE ahead_s IS DISTINCT FROM before ORDER BY t
