-- What judges remember of areas that are no more goes; others may lie in another
-- zone now.
WITH area AS MATERIALIZED (
	SELECT a.lead, z.code FROM leak_areas a
	    LEFT JOIN zones z ON z.id = a.zone_id
), gone AS (
	DELETE FROM leak_states t
	WHERE NOT EXISTS (SELECT FROM area a WHERE a.lead = t.lead))
UPDATE leak_states t SET zone = a.code FROM area a
WHERE a.lead = t.lead AND t.zone IS DISTINCT FROM a.code
