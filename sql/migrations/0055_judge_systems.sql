-- Systems: the series of a zone, judged jointly step by step (src/mape/systems.h):
-- what the judge remembers of each, and the rules of the utility's network file.

-- As the file has them, in m: [{link, open, node, above, level}].
ALTER TABLE zones ADD controls jsonb, ADD controls_at timestamptz;

-- What may be a signal: what is read, not what is counted.
CREATE VIEW system_series AS
SELECT s.id, n.zone_id, n.code AS node, m.code AS metric, s.kind
FROM series s JOIN nodes n ON n.id = s.node_id
    JOIN metrics m ON m.id = s.metric_id
WHERE n.zone_id IS NOT NULL AND s.kind IN ('instant', 'status')
    AND s.retired_at IS NULL AND n.retired_at IS NULL;

-- state (src/model/system.h) is of the steps before upto; what was found in
-- those before told has been told. state NULL: nothing is judged, for that
-- reason. Of what is open: since, its series, and so many calm steps in a row.
CREATE TABLE system_states (
	zone_id     int PRIMARY KEY REFERENCES zones,
	tried_at    timestamptz NOT NULL,
	reason      text,
	offered     int[] NOT NULL DEFAULT '{}', -- series there were to learn
	members     int[] NOT NULL DEFAULT '{}', -- signals, in their order
	step_s      int CHECK (step_s IN (300, 3600)),
	fitted_at   timestamptz,
	learnt_from timestamptz,
	learnt_to   timestamptz,
	state       bytea COMPRESSION lz4,
	upto        timestamptz,
	told        timestamptz,
	newest      json, -- of the step told last
	lead        int REFERENCES series,
	manipulation boolean,
	severity    text CHECK (severity IN ('info', 'warning')),
	since       timestamptz,
	calm        int,
	sensor      int, -- steps that look like a fault of an instrument
	process     int, -- steps that look like the water's doing
	CHECK (state IS NULL OR (step_s IS NOT NULL AND upto IS NOT NULL
	    AND told IS NOT NULL AND members <> '{}'))
);

-- Until when steps are over: some time ago, and a later reading of each series
-- came, or three hours went by since for the series that is heard best.
CREATE FUNCTION system_ready(now timestamptz, step_s int, slowest timestamptz,
    fastest timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
	SELECT date_bin(step_s * interval '1 s', least(
	    now - step_s * interval '1 s',
	    greatest(slowest, fastest - interval '3 h')),
	    timestamptz '1970-01-01 00:00:00+00')
$$;

-- Which series of a zone tells of which element of its network file, as
-- model/system.h binds them: of node PU1 with that metric, or of node S_PU1.
CREATE FUNCTION system_names(zone int, prefix text, metric text)
RETURNS TABLE (element text, series text) LANGUAGE sql STABLE AS $$
	SELECT DISTINCT ON (x.element) x.element, x.series FROM (
		SELECT substr(lower(v.node), 3) AS element,
		    v.node || '/' || v.metric AS series, v.id
		FROM system_series v
		WHERE v.zone_id = $1 AND starts_with(lower(v.node), $2)
		UNION ALL
		SELECT lower(v.node), v.node || '/' || v.metric, v.id
		FROM system_series v WHERE v.zone_id = $1 AND v.metric = $3
	) x ORDER BY x.element, x.id DESC
$$;

-- The zone's rules and which series each is about. learnt: the judge knows
-- them.
CREATE FUNCTION zone_controls_json(wanted text) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('zone', z.code, 'unit', 'm', 'controls',
	    coalesce((SELECT json_agg(json_build_object('link', c.link,
	        'state', CASE WHEN c.open THEN 'open' ELSE 'closed' END,
	        'node', c.node,
	        'when', CASE WHEN c.above THEN 'above' ELSE 'below' END,
	        'level', c.level, 'status_of', s.series,
	        'level_of', l.series) ORDER BY c.place)
	        FROM ROWS FROM (jsonb_to_recordset(z.controls) AS (link text,
	            open boolean, node text, above boolean, level float8))
	            WITH ORDINALITY AS c(link, open, node, above, level, place)
	        LEFT JOIN system_names(z.id, 's_', 'status') s
	            ON s.element = lower(c.link)
	        LEFT JOIN system_names(z.id, 'l_', 'level') l
	            ON l.element = lower(c.node)), '[]'),
	    'learnt', z.controls_at IS NULL
	        OR coalesce(t.fitted_at > z.controls_at, false))
	FROM zones z LEFT JOIN system_states t ON t.zone_id = z.id
	WHERE z.code = wanted
$$;

CREATE FUNCTION zone_controls_put(wanted text, body jsonb) RETURNS answer
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM change_begin();
	UPDATE zones SET controls = nullif(body, '[]'),
	    controls_at = clock_timestamp() WHERE code = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no zone %s', wanted));
	END IF;
	RETURN ROW(zone_controls_json(wanted), NULL, NULL)::answer;
END $$;

CREATE FUNCTION system_json(wanted text) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('zone', z.code,
	    'state', CASE WHEN t.state IS NOT NULL THEN 'judging'
	        ELSE 'learning' END,
	    'reason', CASE WHEN t.state IS NULL THEN coalesce(t.reason,
	        'its turn has not come yet') END,
	    'step_s', t.step_s,
	    'signals', (SELECT coalesce(json_agg(json_build_object(
	        'node', n.code, 'metric', m.code) ORDER BY u.place), '[]')
	        FROM unnest(t.members) WITH ORDINALITY u(id, place)
	        JOIN series s ON s.id = u.id JOIN nodes n ON n.id = s.node_id
	        JOIN metrics m ON m.id = s.metric_id),
	    'controls', coalesce(jsonb_array_length(z.controls), 0),
	    'learnt_from', rfc3339(t.learnt_from),
	    'learnt_to', rfc3339(t.learnt_to),
	    'learnt_at', rfc3339(t.fitted_at),
	    'judged_until', rfc3339(t.told),
	    'newest', t.newest,
	    'anomaly', (SELECT max(x.id) FROM anomalies x
	        WHERE x.series_id = t.lead AND x.state = 'open'
	        AND x.type IN ('joint', 'manipulation') AND x.rule_no = 0))
	FROM zones z LEFT JOIN system_states t ON t.zone_id = z.id
	WHERE z.code = wanted
$$;
