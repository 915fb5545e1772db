-- Leaks: what judges remember of each area, night flows, and whose history an
-- import changed.

-- Flow at night that is used and no leak; NULL: nobody said.
ALTER TABLE zones ADD night_use float8 CHECK (night_use >= 0);

GRANT UPDATE ON zones TO penstock_serve;

CREATE FUNCTION zone_change(wanted text, body jsonb) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	z zones;
BEGIN
	PERFORM change_begin();
	UPDATE zones SET night_use = CASE WHEN body ? 'night_use'
	    THEN (body->>'night_use')::float8 ELSE night_use END
	WHERE code = wanted RETURNING * INTO z;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no zone %s', wanted));
	END IF;
	RETURN ROW(json_build_object('code', z.code, 'name', z.name,
	    'night_use', z.night_use), NULL, NULL)::answer;
END $$;

-- Inflow of areas. A zone's, where links lead through its meters: plus what
-- comes in, minus what goes on to other zones. What is left is an area by
-- itself: each district meter, and each meter that feeds no zone.
CREATE VIEW leak_areas AS
WITH flow AS (
	SELECT s.id AS series, n.id AS node, n.type, n.zone_id
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE m.code = 'flow' AND s.kind = 'instant'
	    AND n.type IN ('meter', 'dma')
	    AND s.retired_at IS NULL AND n.retired_at IS NULL
), way AS (
	SELECT f.series, min(up.zone_id) AS a, min(down.zone_id) AS b
	FROM flow f JOIN links i ON i.to_node = f.node
	    JOIN nodes up ON up.id = i.from_node
	    JOIN links o ON o.from_node = f.node
	    JOIN nodes down ON down.id = o.to_node
	WHERE f.type = 'meter'
	GROUP BY f.series
	HAVING count(DISTINCT coalesce(up.zone_id, 0)) = 1
	    AND count(DISTINCT coalesce(down.zone_id, 0)) = 1
	    AND min(up.zone_id) IS DISTINCT FROM min(down.zone_id)
), zone AS (
	SELECT min(series) FILTER (WHERE sign > 0) AS lead, zone_id,
	    array_agg(series ORDER BY series) AS members,
	    array_agg(sign ORDER BY series) AS signs
	FROM (SELECT series, b AS zone_id, 1::float8 AS sign FROM way
	    UNION ALL SELECT series, a, -1 FROM way) w
	WHERE zone_id IS NOT NULL
	GROUP BY zone_id HAVING bool_or(sign > 0)
)
SELECT lead, zone_id, members, signs FROM zone
UNION ALL
SELECT f.series, f.zone_id, ARRAY[f.series], ARRAY[1::float8]
FROM flow f
WHERE NOT EXISTS (SELECT FROM way w WHERE w.series = f.series
    AND w.b IS NOT NULL);

-- What the judge of an area remembers (src/model/leak_state.c), of the hours
-- before upto; state NULL: it begins anew. since: of the leak that was told.
CREATE TABLE leak_states (
	lead       int PRIMARY KEY REFERENCES series,
	members    int[] NOT NULL,
	signs      float8[] NOT NULL,
	upto       timestamptz,
	state      bytea COMPRESSION lz4,
	since      timestamptz,
	growth     boolean,
	size       float8, -- m3/h
	largest    float8,
	fresh      float8,
	volume     float8, -- m3
	confidence float8,
	night      float8,
	usual      float8
);

-- m3/h from 02:00 to 05:00 of that day, of hours on the network's own clock.
CREATE TABLE night_flows (
	lead  int NOT NULL REFERENCES series,
	night date NOT NULL,
	least float8 NOT NULL,
	mean  float8 NOT NULL,
	PRIMARY KEY (lead, night)
);

-- Series of which an import stored readings: they are judged anew.
CREATE TABLE leak_again (
	series int PRIMARY KEY
);

-- A leak may lie deep: who is sure that there is none, or knows that it was
-- mended, ends it.
CREATE OR REPLACE FUNCTION alarm_resolve(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
BEGIN
	IF a.state = 'open' AND a.type = 'leak' AND a.rule_no = 0 THEN
		UPDATE anomalies u SET state = 'cleared',
		    cleared_at = clock_timestamp(), turned_at = NULL,
		    due_at = '-infinity', version = u.version + 1
		WHERE u.id = wanted RETURNING * INTO a;
		INSERT INTO transitions (subject, subject_id, row_id,
		    from_state, to_state, at, actor, facts, knowledge_version)
		VALUES ('anomaly', a.id, 'A1', 'open', 'cleared', a.cleared_at,
		    who, jsonb_strip_nulls(jsonb_build_object('note',
		    body->>'note')), a.knowledge_version);
		RETURN alarm_answer(a);
	END IF;
	IF a.state = 'open' THEN
		PERFORM refuse(409, format('the condition of anomaly %s is '
		    'still there', wanted));
	END IF;
	RETURN alarm_answer(alarm_move(a, 'resolve', who,
	    jsonb_build_object('note', body->>'note')));
END $$;

-- The first 20 of an area's series.
CREATE FUNCTION leak_meters_json(members int[]) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_agg(n.code || '/' || m.code ORDER BY u.ord)
	FROM unnest(members) WITH ORDINALITY u(id, ord)
	    JOIN series s ON s.id = u.id JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE u.ord <= 20
$$;

-- The last 35 nights of the areas of a zone. usual: the median of the four
-- weeks of nights before, without those of a leak that was told.
CREATE FUNCTION night_flow_json(wanted text) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('zone', z.code, 'unit', 'm3/h',
	    'night_use', z.night_use, 'areas', coalesce((
		SELECT json_agg(json_build_object(
		    'meters', leak_meters_json(a.members),
		    'judged_until', rfc3339(t.upto),
		    'leak', CASE WHEN x.id IS NOT NULL THEN json_build_object(
		        'anomaly', x.id, 'since', rfc3339(t.since),
		        'kind', CASE WHEN t.growth THEN 'growth'
		            ELSE 'step' END,
		        'size', t.size, 'volume_m3', t.volume,
		        'confidence', t.confidence) END,
		    'nights', (SELECT coalesce(json_agg(json_build_object(
		        'date', f.night, 'least', f.least, 'mean', f.mean,
		        'usual', (SELECT percentile_cont(0.5) WITHIN GROUP
		            (ORDER BY u.mean) FROM night_flows u
		            WHERE u.lead = a.lead AND u.night < f.night
		            AND u.night >= f.night - 28
		            AND (x.id IS NULL
		                OR u.night < (t.since AT TIME ZONE 'UTC')::date)))
		        ORDER BY f.night), '[]')
		        FROM (SELECT * FROM night_flows n WHERE n.lead = a.lead
		            ORDER BY n.night DESC LIMIT 35) f))
		    ORDER BY a.lead)
		FROM leak_areas a LEFT JOIN leak_states t ON t.lead = a.lead
		    LEFT JOIN anomalies x ON x.series_id = a.lead
		    AND x.type = 'leak' AND x.rule_no = 0 AND x.state = 'open'
		WHERE a.zone_id = z.id), '[]'))
	FROM zones z WHERE z.code = wanted
$$;
