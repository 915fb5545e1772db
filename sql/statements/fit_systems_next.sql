-- A zone to learn as a system that was not tried since $1 timestamptz: never
-- learnt, seven days ago, or its series or its rules changed; claimed by this.
-- -> zone int4, code text, systems int8 that there are; no row if none is due
WITH offered AS (
	SELECT zone_id, array_agg(id ORDER BY id) AS series FROM system_series
	GROUP BY zone_id HAVING count(*) > 1
), next AS (
	SELECT o.zone_id, z.code, o.series
	FROM offered o JOIN zones z ON z.id = o.zone_id
	    LEFT JOIN system_states t ON t.zone_id = o.zone_id
	WHERE coalesce(t.tried_at, '-infinity') < $1::timestamptz
	    AND (t.state IS NULL OR t.offered <> o.series
	    OR t.fitted_at < clock_timestamp() - interval '6 days 12 h'
	    OR t.fitted_at < z.controls_at)
	ORDER BY t.tried_at NULLS FIRST, o.zone_id LIMIT 1
), claimed AS (
	INSERT INTO system_states AS t (zone_id, tried_at)
	SELECT zone_id, clock_timestamp() FROM next
	ON CONFLICT (zone_id) DO UPDATE SET tried_at = excluded.tried_at
)
SELECT zone_id, code, (SELECT count(*) FROM offered) FROM next
