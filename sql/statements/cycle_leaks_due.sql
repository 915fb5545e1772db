-- Areas with hours to judge. $1 hours end by then, $2 none is before, $3 limit,
-- $4 bool: all areas of the network, else those that are known
-- -> lead int4, zone text, meters text (JSON), members int4[], signs float8[],
--    members and signs as text, from and to timestamptz (UTC hours), state
--    bytea; of the open leak: since timestamptz (NULL: there is none), growth
--    bool, size, largest, fresh, volume, confidence, night, usual float8;
--    ended timestamptz[]: since when there were leaks that are no more;
--    dismissed bool; band float8, of the open leak. Those with few hours first.
WITH area AS MATERIALIZED (
	SELECT * FROM (
		SELECT a.lead, z.code AS zone, a.members, a.signs
		FROM leak_areas a LEFT JOIN zones z ON z.id = a.zone_id
		WHERE $4::bool
		UNION ALL
		SELECT lead, zone, members, signs FROM leak_states
		WHERE NOT $4 AND upto < $1) a
	WHERE NOT EXISTS (SELECT FROM leak_again g
	    WHERE g.series = ANY (a.members))
), newest AS MATERIALIZED (
	SELECT series, ts FROM series_latest
	WHERE series = ANY (ARRAY(SELECT unnest(members) FROM area))
), heard AS MATERIALIZED (
	SELECT a.lead, bool_or(n.series = a.lead) AS leads,
	    CASE WHEN count(n.ts) = cardinality(a.members)
	    THEN min(n.ts) END AS ts
	FROM area a CROSS JOIN unnest(a.members) u(series)
	    JOIN newest n ON n.series = u.series
	GROUP BY a.lead, a.members
), due AS (
	SELECT a.*, CASE WHEN t.members = a.members AND t.signs = a.signs
	    THEN t.state END AS state,
	    greatest($2::timestamptz, CASE WHEN t.members = a.members
	    AND t.signs = a.signs THEN t.upto END) AS since_hour,
	    least($1::timestamptz, date_trunc('hour', h.ts, 'UTC')) AS until,
	    t.since, t.growth, t.size, t.largest, t.fresh, t.volume,
	    t.confidence, t.night, t.usual,
	    coalesce(t.dismissed, false) AS dismissed, t.band
	FROM area a JOIN heard h ON h.lead = a.lead AND h.leads
	    LEFT JOIN leak_states t ON t.lead = a.lead
)
SELECT d.lead, d.zone, leak_meters_json(d.members)::text, d.members, d.signs,
    d.members::text, d.signs::text, d.since_hour, d.until, d.state,
    CASE WHEN EXISTS (SELECT FROM anomalies x WHERE x.series_id = d.lead
        AND x.type = 'leak' AND x.rule_no = 0 AND x.state = 'open')
    THEN d.since END, d.growth, d.size, d.largest, d.fresh, d.volume,
    d.confidence, d.night, d.usual,
    ARRAY(SELECT x.first_at FROM anomalies x WHERE x.series_id = d.lead
        AND x.type = 'leak' AND x.rule_no = 0 AND x.state = 'cleared'
        AND x.first_at > $2 - interval '30 days'
        ORDER BY x.id DESC LIMIT 100), d.dismissed, d.band
FROM due d
WHERE d.until > d.since_hour
ORDER BY d.until - d.since_hour > interval '2 days', d.lead
LIMIT $3::int8
