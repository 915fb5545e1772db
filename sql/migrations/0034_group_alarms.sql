-- Alarms that come together where the network hangs together are one incident,
-- with the likely root first; and what the alarms ask of the people.

CREATE TABLE incidents (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	opened_at   timestamptz NOT NULL,
	closed_at   timestamptz, -- no alarm of it is left
	merged_into bigint REFERENCES incidents,
	root_id     bigint REFERENCES anomalies,
	root_reason text
);
CREATE INDEX incidents_open_idx ON incidents (id) WHERE closed_at IS NULL;
ALTER TABLE anomalies ADD incident_id bigint REFERENCES incidents;
CREATE INDEX anomalies_incident_idx ON anomalies (incident_id)
	WHERE incident_id IS NOT NULL;
REVOKE DELETE ON incidents FROM penstock_serve;

-- Nodes that so many links or fewer are between, whichever way they lead.
CREATE FUNCTION nodes_near(wanted int, hops int) RETURNS SETOF int
LANGUAGE sql STABLE AS $$
	WITH RECURSIVE near(node, hop) AS (
		VALUES (wanted, 0)
		UNION
		SELECT CASE l.from_node WHEN n.node THEN l.to_node
		    ELSE l.from_node END, n.hop + 1
		FROM near n JOIN links l
		    ON l.from_node = n.node OR l.to_node = n.node
		WHERE n.hop < hops)
	SELECT DISTINCT node FROM near
$$;

-- What came first is the likely root; of what came within a minute, what no
-- other alarm's node leads to; then what speaks of the water rather than of a
-- sensor; then the severest.
CREATE FUNCTION incident_root(wanted bigint) RETURNS void
LANGUAGE sql AS $$
	WITH member AS (
		SELECT a.id, a.first_at, s.node_id AS node,
		    a.type IN ('flatline', 'silence') AS sensor,
		    array_position('{critical,warning,info}', a.severity) AS rank
		FROM anomalies a JOIN series s ON s.id = a.series_id
		WHERE a.incident_id = wanted),
	placed AS (
		SELECT m.*, m.first_at - (SELECT min(first_at) FROM member)
		        < interval '1 min' AS early,
		    (SELECT count(DISTINCT o.node) FROM links l JOIN member o
		        ON o.node = l.from_node WHERE l.to_node = m.node
		        AND o.node <> m.node) AS fed_by,
		    (SELECT count(DISTINCT o.node) FROM links l JOIN member o
		        ON o.node = l.to_node WHERE l.from_node = m.node
		        AND o.node <> m.node) AS feeds
		FROM member m)
	UPDATE incidents i SET root_id = p.id, root_reason = CASE
	    WHEN p.feeds > 0 AND p.fed_by = 0
	    THEN 'among the first, and upstream of the others'
	    ELSE 'the first' END
	FROM (SELECT * FROM placed ORDER BY early DESC, fed_by > 0, sensor,
	    first_at, rank, id LIMIT 1) p
	WHERE i.id = wanted
$$;

-- Puts what was raised at `moment` together with what was raised near it within
-- `span`: once `fewest` of them are there, or to an incident that is open.
CREATE FUNCTION incidents_group(moment timestamptz, hops int DEFAULT 2,
    span interval DEFAULT '10 min', fewest int DEFAULT 3) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	a record;
	peers bigint[];
	known bigint[];
	chosen bigint;
BEGIN
	FOR a IN SELECT x.id, s.node_id FROM transitions t
	    JOIN anomalies x ON x.id = t.subject_id
	    JOIN series s ON s.id = x.series_id
	    WHERE t.subject = 'alarm' AND t.at = moment
	    AND t.row_id = 'L1' ORDER BY x.first_at, x.id LIMIT 500
	LOOP
		SELECT array_agg(DISTINCT x.id),
		    array_agg(DISTINCT x.incident_id) FILTER (
		    WHERE i.closed_at IS NULL AND i.id IS NOT NULL)
		INTO peers, known
		FROM transitions t JOIN anomalies x ON x.id = t.subject_id
		    JOIN series s ON s.id = x.series_id
		    LEFT JOIN incidents i ON i.id = x.incident_id
		WHERE t.subject = 'alarm' AND t.row_id = 'L1'
		    AND t.at > moment - span
		    AND t.at <= moment
		    AND x.alarm_state <> 'normal'
		    AND s.node_id IN (SELECT nodes_near(a.node_id, hops));
		CONTINUE WHEN known IS NULL
		    AND coalesce(cardinality(peers), 0) < fewest;
		chosen := (SELECT min(k) FROM unnest(known) k);
		IF chosen IS NULL THEN
			INSERT INTO incidents (opened_at)
			VALUES (moment) RETURNING id INTO chosen;
		END IF;
		UPDATE anomalies x SET incident_id = chosen
		WHERE x.incident_id IS DISTINCT FROM chosen
		    AND (x.id = ANY (peers) AND (x.incident_id IS NULL
		    OR x.id = a.id) OR x.incident_id = ANY (known));
		UPDATE incidents i SET closed_at = moment,
		    merged_into = chosen
		WHERE i.id = ANY (known) AND i.id <> chosen;
		PERFORM incident_root(chosen);
	END LOOP;
	UPDATE incidents i SET closed_at = moment
	WHERE i.closed_at IS NULL AND NOT EXISTS (SELECT FROM anomalies x
	    WHERE x.incident_id = i.id AND x.alarm_state <> 'normal');
END $$;

CREATE OR REPLACE FUNCTION anomaly_json(a anomalies) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', a.id, 'state', a.state,
	    'alarm_state', a.alarm_state,
	    'priority', coalesce(a.priority, a.severity),
	    'node', n.code, 'metric', m.code, 'unit', m.unit,
	    'zone', (SELECT code FROM zones WHERE id = n.zone_id),
	    'type', a.type, 'direction', a.direction, 'severity', a.severity,
	    'rule', a.rule_id, 'first_at', rfc3339(a.first_at),
	    'last_at', rfc3339(a.last_at),
	    'raised_at', rfc3339(a.raised_at),
	    'cleared_at', rfc3339(a.cleared_at),
	    'value', nullif(a.value, 'NaN'),
	    'limit', nullif(a.limit_value, 'NaN'),
	    'planning', a.planning, 'acked_at', rfc3339(a.acked_at),
	    'acked_by', a.acked_by, 'ack_note', a.ack_note,
	    'alarm_at', rfc3339(a.alarm_at), 'assigned_to', a.assigned_to,
	    'comment', a.comment, 'shelved_until', rfc3339(a.shelved_until),
	    'raised_times', greatest(a.times, 1),
	    'escalations', a.escalations, 'incident', a.incident_id)
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE s.id = a.series_id);
END $$;

CREATE FUNCTION incident_json(i incidents) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', i.id, 'opened_at', rfc3339(i.opened_at),
	    'closed_at', rfc3339(i.closed_at), 'merged_into', i.merged_into,
	    'root', i.root_id, 'root_reason', i.root_reason,
	    'alarms', (SELECT count(*) FROM anomalies a
	        WHERE a.incident_id = i.id),
	    'live', (SELECT count(*) FROM anomalies a
	        WHERE a.incident_id = i.id AND a.alarm_state <> 'normal'))
$$;

-- The root first, then as they came.
CREATE FUNCTION incident_detail_json(i incidents) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT (left(incident_json(i)::text, -1) || ', ' ||
	    substr(json_build_object('members', (SELECT coalesce(json_agg(
	    anomaly_json(a) ORDER BY a.id <> i.root_id, a.first_at, a.id), '[]')
	    FROM anomalies a WHERE a.incident_id = i.id))::text, 2))::json
$$;

-- After ISA-18.2: what one operator is asked to look at in 10 minutes, more
-- than 10 being a flood; and what stands for more than a day.
CREATE FUNCTION alarm_figures(since timestamptz, until timestamptz)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
	t1 timestamptz := coalesce(until, clock_timestamp());
	t0 timestamptz := coalesce(since, t1 - interval '1 day');
BEGIN
	IF t1 <= t0 OR t1 > t0 + interval '31 days' THEN
		PERFORM refuse(422, 'from is before to, by 31 days at most',
		    '/from');
	END IF;
	RETURN (WITH raised AS (
		SELECT t.subject_id, t.at, series_zone(a.series_id) AS zone,
		    floor(extract(epoch FROM t.at - t0) / 600) AS slot
		FROM transitions t JOIN anomalies a ON a.id = t.subject_id
		WHERE t.subject = 'alarm' AND t.at >= t0 AND t.at < t1
		    AND t.to_state = 'unacknowledged'
		    AND t.from_state <> 'unacknowledged'),
	people AS (
		SELECT username, zone_ids FROM users
		WHERE role = 'operator' AND disabled_at IS NULL
		UNION ALL SELECT NULL, NULL),
	slots AS (
		SELECT p.username, r.slot, count(*) AS n
		FROM people p JOIN raised r ON p.zone_ids IS NULL
		    OR r.zone = ANY (p.zone_ids)
		GROUP BY 1, 2),
	loads AS (
		SELECT p.username, coalesce(sum(s.n), 0) AS alarms,
		    coalesce(max(s.n), 0) AS most,
		    count(*) FILTER (WHERE s.n > 10) AS floods,
		    coalesce(sum(s.n) FILTER (WHERE s.n > 10), 0) AS flooded
		FROM people p LEFT JOIN slots s
		    ON s.username IS NOT DISTINCT FROM p.username
		GROUP BY p.username),
	told AS (
		SELECT username, json_build_object('operator', username,
		    'alarms', alarms,
		    'per_10_min', round(alarms / greatest(1, ceil(extract(
		        epoch FROM t1 - t0) / 600)), 3),
		    'most_per_10_min', most,
		    'share_of_time_in_flood', round(floods / greatest(1,
		        ceil(extract(epoch FROM t1 - t0) / 600)), 4),
		    'share_of_alarms_in_flood', round(flooded
		        / greatest(1, alarms), 4)) AS load
		FROM loads),
	seen AS (
		SELECT extract(epoch FROM k.at - r.at) AS s FROM raised r,
		    LATERAL (SELECT t.at FROM transitions t
		    WHERE t.subject = 'alarm' AND t.subject_id = r.subject_id
		        AND t.at >= r.at AND t.row_id IN ('L2', 'L7', 'L8')
		    ORDER BY t.id LIMIT 1) k),
	live AS (
		SELECT * FROM anomalies
		WHERE state = 'open' OR alarm_state <> 'normal')
	SELECT json_build_object('from', rfc3339(t0), 'to', rfc3339(t1),
	    'all', (SELECT load FROM told WHERE username IS NULL),
	    'operators', (SELECT coalesce(json_agg(load ORDER BY username),
	        '[]') FROM told WHERE username IS NOT NULL),
	    'acknowledged', (SELECT count(*) FROM seen),
	    'acknowledged_after_s_p50', (SELECT percentile_cont(0.5)
	        WITHIN GROUP (ORDER BY s) FROM seen),
	    'acknowledged_after_s_p95', (SELECT percentile_cont(0.95)
	        WITHIN GROUP (ORDER BY s) FROM seen),
	    'live', (SELECT coalesce(json_object_agg(alarm_state, n), '{}')
	        FROM (SELECT alarm_state, count(*) AS n FROM live
	        WHERE alarm_state <> 'normal' GROUP BY 1 ORDER BY 1) c),
	    'stale_unacknowledged', (SELECT count(*) FROM live
	        WHERE alarm_state IN ('unacknowledged',
	        'returned_unacknowledged')
	        AND alarm_at < clock_timestamp() - interval '1 day'),
	    'stale_acknowledged', (SELECT count(*) FROM live
	        WHERE alarm_state = 'acknowledged'
	        AND alarm_at < clock_timestamp() - interval '1 day'),
	    'chattering', (SELECT count(*) FROM live l JOIN alarm_classes k
	        ON k.id = l.severity WHERE l.times >= k.chatter_limit)));
END $$;
