-- What becomes of an anomaly among people: the life of an alarm after
-- ISA-18.2 and IEC 62682. `state` still says whether the condition is there;
-- `alarm_state` says whether somebody is to look at it.

-- The rows of alarm_fsm (src/domain/alarm.c), which a test compares.
CREATE TABLE alarm_rows (
	id         text PRIMARY KEY,
	from_state text, -- NULL: any
	event      text NOT NULL,
	to_state   text  -- NULL: it stays
);
INSERT INTO alarm_rows VALUES
	('L1', 'normal', 'raise', 'unacknowledged'),
	('L2', 'unacknowledged', 'acknowledge', 'acknowledged'),
	('L3', 'unacknowledged', 'clear', 'returned_unacknowledged'),
	('L4', 'unacknowledged', 'clear_journal', 'normal'),
	('L5', 'acknowledged', 'clear', 'normal'),
	('L6', 'acknowledged', 'clear_latching', 'latched'),
	('L7', 'returned_unacknowledged', 'acknowledge', 'normal'),
	('L8', 'returned_unacknowledged', 'acknowledge_latching', 'latched'),
	('L9', 'returned_unacknowledged', 'resolve', 'normal'),
	('L10', 'latched', 'resolve', 'normal'),
	('L11', 'returned_unacknowledged', 'supersede', 'normal'),
	('L12', 'latched', 'supersede', 'normal'),
	('L13', 'normal', 'acknowledge', 'normal'),
	('L14', 'unacknowledged', 'shelve', 'shelved'),
	('L15', 'acknowledged', 'shelve', 'shelved'),
	('L16', 'returned_unacknowledged', 'shelve', 'shelved'),
	('L17', 'shelved', 'unshelve', 'normal'),
	('L18', 'shelved', 'unshelve_active', 'unacknowledged'),
	('L19', 'shelved', 'unshelve_latching', 'latched'),
	('L20', 'shelved', 'expire', 'normal'),
	('L21', 'shelved', 'expire_active', 'unacknowledged'),
	('L22', 'shelved', 'expire_latching', 'latched'),
	('L23', 'normal', 'suppress', 'suppressed_by_design'),
	('L24', 'unacknowledged', 'suppress', 'suppressed_by_design'),
	('L25', 'acknowledged', 'suppress', 'suppressed_by_design'),
	('L26', 'suppressed_by_design', 'clear', 'normal'),
	('L27', 'suppressed_by_design', 'release', 'unacknowledged'),
	('L28', 'normal', 'take_out', 'out_of_service'),
	('L29', 'unacknowledged', 'take_out', 'out_of_service'),
	('L30', 'acknowledged', 'take_out', 'out_of_service'),
	('L31', 'shelved', 'take_out', 'out_of_service'),
	('L32', 'suppressed_by_design', 'take_out', 'out_of_service'),
	('L33', 'out_of_service', 'clear', 'normal'),
	('L34', 'out_of_service', 'put_back', 'unacknowledged'),
	('L35', 'unacknowledged', 'escalate', 'unacknowledged'),
	('L36', 'unacknowledged', 'climb', 'unacknowledged'),
	('L37', 'acknowledged', 'climb', 'acknowledged'),
	('L38', 'returned_unacknowledged', 'fall', 'returned_unacknowledged'),
	('L39', 'latched', 'fall', 'latched'),
	('L40', NULL, 'comment', NULL),
	('L41', NULL, 'assign', NULL);

CREATE TABLE alarm_classes (
	id               text PRIMARY KEY CHECK (id IN ('info', 'warning',
	    'critical')), -- the severity
	needs_ack        boolean NOT NULL,
	latching         boolean NOT NULL,
	escalate_after_s float8 CHECK (escalate_after_s > 0),
	climb_after_s    float8 CHECK (climb_after_s > 0),
	fall_after_s     float8 CHECK (fall_after_s > 0),
	shelve_most_s    float8 NOT NULL CHECK (shelve_most_s > 0),
	chatter_limit    int CHECK (chatter_limit > 1),
	chatter_window_s float8 NOT NULL CHECK (chatter_window_s > 0),
	chatter_hold_s   float8 NOT NULL CHECK (chatter_hold_s > 0),
	change           bigint NOT NULL DEFAULT 1
);
INSERT INTO alarm_classes VALUES
	('info', false, false, NULL, NULL, 86400, 604800, 3, 600, 300),
	('warning', true, false, 1800, 14400, 86400, 86400, 3, 600, 300),
	('critical', true, false, 600, NULL, 86400, 28800, 3, 600, 300);

-- Spans in which alarms of a node, zone or series are kept quiet.
CREATE TABLE alarm_holds (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind       text NOT NULL CHECK (kind IN ('maintenance',
	    'out_of_service')),
	node_id    int REFERENCES nodes,
	zone_id    int REFERENCES zones,
	series_id  int REFERENCES series,
	from_at    timestamptz NOT NULL,
	to_at      timestamptz CHECK (to_at > from_at),
	reason     text NOT NULL,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	ended_at   timestamptz,
	ended_by   text,
	turn_at    timestamptz, -- when the loop is to begin or end it
	held       bigint NOT NULL DEFAULT 0, -- alarms that were kept quiet
	CHECK (num_nonnulls(node_id, zone_id, series_id) = 1)
);
CREATE INDEX alarm_holds_turn_idx ON alarm_holds (turn_at)
	WHERE turn_at IS NOT NULL;
CREATE INDEX alarm_holds_live_idx ON alarm_holds (id)
	WHERE ended_at IS NULL;

-- What people are to be told of, beyond what they see when they look.
CREATE TABLE notifications (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at         timestamptz NOT NULL,
	kind       text NOT NULL, -- escalation, maintenance_began, ...
	subject    text NOT NULL,
	subject_id bigint NOT NULL,
	level      int NOT NULL DEFAULT 1,
	audience   text NOT NULL, -- the least role it is for
	zone_id    int,
	facts      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX notifications_subject_idx ON notifications (subject, subject_id);

ALTER TABLE anomalies
	ADD alarm_state text NOT NULL DEFAULT 'normal'
	    CONSTRAINT anomalies_alarm_state_check CHECK (alarm_state IN (
	    'normal', 'unacknowledged', 'acknowledged',
	    'returned_unacknowledged', 'latched', 'shelved',
	    'suppressed_by_design', 'out_of_service')),
	ADD priority text CHECK (priority IN ('info', 'warning', 'critical')),
	ADD alarm_at timestamptz,
	ADD priority_at timestamptz,
	ADD turned_at timestamptz, -- NULL: `state` moved and the loop has yet
	                           -- to deal with it
	ADD shelved_until timestamptz,
	ADD due_at timestamptz DEFAULT '-infinity', -- the loop looks at it
	ADD times int NOT NULL DEFAULT 0,
	ADD escalations int NOT NULL DEFAULT 0,
	ADD assigned_to text,
	ADD comment text, -- the newest
	ADD commented_at timestamptz,
	ADD version int NOT NULL DEFAULT 1;
UPDATE anomalies SET due_at = NULL, turned_at = cleared_at
WHERE state = 'cleared';
UPDATE anomalies SET alarm_state = 'acknowledged', alarm_at = acked_at,
    priority = severity, priority_at = raised_at, turned_at = raised_at
WHERE state = 'open' AND acked_at IS NOT NULL;
CREATE INDEX anomalies_due_idx ON anomalies (due_at)
	WHERE due_at IS NOT NULL;
CREATE INDEX anomalies_condition_idx ON anomalies
	(series_id, type, direction, severity);
-- Of a series: what the condition, a person or a shelf keeps alive.
CREATE INDEX anomalies_live_idx ON anomalies
	(series_id, type, direction, severity)
	WHERE state = 'open' OR alarm_state <> 'normal';

ALTER TABLE transitions DROP CONSTRAINT transitions_subject_check;
ALTER TABLE transitions ADD CONSTRAINT transitions_subject_check
	CHECK (subject IN ('anomaly', 'alarm', 'plan', 'command'));
-- For figures.
CREATE INDEX transitions_alarm_at_idx ON transitions (at)
	WHERE subject = 'alarm';

-- No history of an alarm without a row that allows it.
CREATE FUNCTION check_alarm_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM alarm_rows r WHERE r.id = NEW.row_id
	    AND coalesce(r.from_state, NEW.from_state) = NEW.from_state
	    AND coalesce(r.to_state, NEW.from_state) = NEW.to_state) THEN
		RAISE EXCEPTION 'no row % leads an alarm from % to %',
		    NEW.row_id, NEW.from_state, NEW.to_state
		    USING ERRCODE = 'check_violation';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER alarm_row BEFORE INSERT ON transitions
	FOR EACH ROW WHEN (NEW.subject = 'alarm')
	EXECUTE FUNCTION check_alarm_row();

CREATE FUNCTION event_alarm() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM event_add('alarm', (SELECT event FROM alarm_rows
	    WHERE id = NEW.row_id), series_zone(a.series_id), anomaly_json(a))
	FROM anomalies a WHERE a.id = NEW.subject_id;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER event_alarm AFTER INSERT ON transitions
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
	WHEN (NEW.subject = 'alarm') EXECUTE FUNCTION event_alarm();

-- Audit: the same as before, and what people do to alarms.
DROP TRIGGER audit_put ON anomalies;
DROP TRIGGER audit_change ON anomalies;
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON anomalies
	FOR EACH ROW EXECUTE FUNCTION audit_note('change', 'evidence',
	'planning', 'planning_reasons', 'due_at', 'turned_at', 'times',
	'version');
CREATE TRIGGER audit_change AFTER UPDATE ON anomalies
	FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state
	    OR NEW.acked_at IS DISTINCT FROM OLD.acked_at
	    OR NEW.assigned_to IS DISTINCT FROM OLD.assigned_to
	    OR NEW.commented_at IS DISTINCT FROM OLD.commented_at
	    OR (NEW.alarm_state IS DISTINCT FROM OLD.alarm_state
	    AND OLD.alarm_state <> 'normal'))
	EXECUTE FUNCTION audit_note('change', 'evidence', 'planning',
	'planning_reasons', 'due_at', 'turned_at', 'times', 'version');
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON alarm_holds
	FOR EACH ROW EXECUTE FUNCTION audit_note('turn_at', 'held');
CREATE TRIGGER audit_change AFTER UPDATE ON alarm_holds
	FOR EACH ROW WHEN (NEW.ended_at IS DISTINCT FROM OLD.ended_at)
	EXECUTE FUNCTION audit_note('turn_at', 'held');
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON alarm_classes
	FOR EACH ROW EXECUTE FUNCTION audit_note('change');
CREATE TRIGGER audit_change AFTER UPDATE ON alarm_classes
	FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*)
	EXECUTE FUNCTION audit_note('change');

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
	    'escalations', a.escalations)
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics m ON m.id = s.metric_id
	WHERE s.id = a.series_id);
END $$;

CREATE OR REPLACE FUNCTION anomaly_detail_json(a anomalies) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT (left(anomaly_json(a)::text, -1) || ', ' ||
	    substr(json_build_object('evidence', a.evidence,
	    'planning_reasons', a.planning_reasons,
	    'knowledge_version', a.knowledge_version,
	    'transitions', transitions_json('anomaly', ARRAY[a.id]),
	    'alarm_transitions', transitions_json('alarm', ARRAY[a.id]),
	    'plans', (SELECT coalesce(json_agg(plan_json(p) ORDER BY p.id),
	        '[]') FROM plans p WHERE p.anomaly_id = a.id))::text, 2)
	    )::json
$$;

-- What people do

-- The one way: `happened` as the table of rows has it.
CREATE FUNCTION alarm_move(a anomalies, happened text, who text, facts jsonb)
RETURNS anomalies LANGUAGE plpgsql AS $$
DECLARE
	r alarm_rows;
	t timestamptz := clock_timestamp();
	until timestamptz := facts->>'until';
BEGIN
	SELECT * INTO r FROM alarm_rows WHERE event = happened
	    AND coalesce(from_state, a.alarm_state) = a.alarm_state;
	IF NOT FOUND THEN
		PERFORM refuse(409, format('alarm %s is %s: not to %s from '
		    'there', a.id, a.alarm_state, split_part(happened, '_',
		    1)));
	END IF;
	INSERT INTO transitions (subject, subject_id, row_id, from_state,
	    to_state, at, actor, facts, knowledge_version)
	VALUES ('alarm', a.id, r.id, a.alarm_state,
	    coalesce(r.to_state, a.alarm_state), t, who,
	    jsonb_strip_nulls(facts), a.knowledge_version);
	UPDATE anomalies u SET
	    alarm_state = coalesce(r.to_state, u.alarm_state),
	    alarm_at = CASE WHEN r.to_state <> r.from_state THEN t
	        ELSE u.alarm_at END,
	    priority = coalesce(u.priority, u.severity),
	    priority_at = coalesce(u.priority_at, t),
	    shelved_until = CASE coalesce(r.to_state, u.alarm_state)
	        WHEN 'shelved' THEN coalesce(until, u.shelved_until) END,
	    acked_at = CASE WHEN r.to_state = 'unacknowledged'
	        AND r.from_state <> r.to_state THEN NULL
	        ELSE u.acked_at END,
	    acked_by = CASE WHEN r.to_state = 'unacknowledged'
	        AND r.from_state <> r.to_state THEN NULL
	        ELSE u.acked_by END,
	    due_at = '-infinity', version = u.version + 1
	WHERE u.id = a.id RETURNING * INTO a;
	RETURN a;
END $$;

-- The alarm, locked, for somebody who may act on it. What the loop has not
-- yet looked at is raised first, so that the history has no hole.
CREATE FUNCTION alarm_hold(wanted bigint, if_match text, who text)
RETURNS anomalies LANGUAGE plpgsql AS $$
DECLARE
	a anomalies;
BEGIN
	SELECT * INTO a FROM anomalies WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no anomaly %s', wanted));
	END IF;
	PERFORM check_zones(who, format('anomaly %s', wanted),
	    ARRAY[series_zone(a.series_id)]);
	PERFORM check_if_match(if_match, etag(a.version));
	IF a.alarm_state = 'normal' AND a.state = 'open' THEN
		a := alarm_move(a, 'raise', 'loop', a.evidence);
	END IF;
	RETURN a;
END $$;

CREATE FUNCTION alarm_answer(a anomalies) RETURNS answer
LANGUAGE sql STABLE AS $$
	SELECT anomaly_json(a), etag(a.version), NULL::text
$$;

-- The first acknowledgement stays.
DROP FUNCTION anomaly_ack(bigint, jsonb, text);
CREATE FUNCTION alarm_ack(wanted bigint, body jsonb, who text, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
BEGIN
	IF a.acked_by IS DISTINCT FROM who AND a.acked_at IS NOT NULL THEN
		PERFORM refuse(409, format('anomaly %s was acknowledged by %s '
		    'at %s', wanted, a.acked_by, rfc3339(a.acked_at)));
	END IF;
	IF a.acked_at IS NULL THEN
		a := alarm_move(a, CASE WHEN
		    a.alarm_state = 'returned_unacknowledged'
		    AND (SELECT latching FROM alarm_classes
		        WHERE id = a.severity)
		    THEN 'acknowledge_latching' ELSE 'acknowledge' END, who,
		    jsonb_build_object('note', body->>'note'));
		UPDATE anomalies u SET acked_at = clock_timestamp(),
		    acked_by = who, ack_note = body->>'note'
		WHERE u.id = wanted RETURNING * INTO a;
	END IF;
	RETURN alarm_answer(a);
END $$;

CREATE FUNCTION alarm_comment(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
BEGIN
	a := alarm_move(a, 'comment', who,
	    jsonb_build_object('text', body->>'text'));
	UPDATE anomalies u SET comment = body->>'text',
	    commented_at = clock_timestamp()
	WHERE u.id = wanted RETURNING * INTO a;
	RETURN alarm_answer(a);
END $$;

-- NULL: to nobody.
CREATE FUNCTION alarm_assign(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
BEGIN
	IF NOT body ? 'to' THEN
		PERFORM refuse(422, 'to is missing: a user, or null for nobody',
		    '/to');
	END IF;
	IF body->>'to' IS NOT NULL AND NOT EXISTS (SELECT FROM users u
	    WHERE u.username = body->>'to' AND u.disabled_at IS NULL) THEN
		PERFORM refuse(422, format('there is no user %s in use',
		    body->>'to'), '/to');
	END IF;
	a := alarm_move(a, 'assign', who, jsonb_build_object('to',
	    body->>'to', 'before', a.assigned_to, 'note', body->>'note'));
	UPDATE anomalies v SET assigned_to = body->>'to'
	WHERE v.id = wanted RETURNING * INTO a;
	RETURN alarm_answer(a);
END $$;

CREATE FUNCTION alarm_shelve(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
	most float8 := (SELECT shelve_most_s FROM alarm_classes
	    WHERE id = a.severity);
	wish float8 := body->>'for_s';
BEGIN
	IF wish > most THEN
		PERFORM refuse(422, format('a %s alarm is shelved for %s s at '
		    'most', a.severity, most), '/for_s');
	END IF;
	RETURN alarm_answer(alarm_move(a, 'shelve', who,
	    jsonb_build_object('reason', body->>'reason', 'until',
	    rfc3339(clock_timestamp() + wish * interval '1 s'))));
END $$;

CREATE FUNCTION alarm_unshelve(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
BEGIN
	RETURN alarm_answer(alarm_move(a, CASE
	    WHEN a.state = 'open' THEN 'unshelve_active'
	    WHEN (SELECT latching FROM alarm_classes WHERE id = a.severity)
	    THEN 'unshelve_latching' ELSE 'unshelve' END, who,
	    jsonb_build_object('reason', body->>'reason')));
END $$;

CREATE FUNCTION alarm_resolve(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
BEGIN
	IF a.state = 'open' THEN
		PERFORM refuse(409, format('the condition of anomaly %s is '
		    'still there', wanted));
	END IF;
	RETURN alarm_answer(alarm_move(a, 'resolve', who,
	    jsonb_build_object('note', body->>'note')));
END $$;

-- Spans of quiet

CREATE FUNCTION alarm_hold_json(h alarm_holds) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN json_build_object('id', h.id, 'kind', h.kind,
	    'node', coalesce((SELECT code FROM nodes WHERE id = h.node_id),
	        (SELECT n.code FROM series s JOIN nodes n ON n.id = s.node_id
	        WHERE s.id = h.series_id)),
	    'metric', (SELECT m.code FROM series s JOIN metrics m
	        ON m.id = s.metric_id WHERE s.id = h.series_id),
	    'zone', (SELECT code FROM zones WHERE id = h.zone_id),
	    'from', rfc3339(h.from_at), 'to', rfc3339(h.to_at),
	    'reason', h.reason, 'held', h.held,
	    'created_by', h.created_by, 'created_at', rfc3339(h.created_at),
	    'ended_by', h.ended_by, 'ended_at', rfc3339(h.ended_at));
END $$;

CREATE FUNCTION alarm_hold_zone(h alarm_holds) RETURNS int
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN h.zone_id IS NOT NULL THEN h.zone_id
	    WHEN h.node_id IS NOT NULL
	    THEN (SELECT zone_id FROM nodes WHERE id = h.node_id)
	    ELSE series_zone(h.series_id) END
$$;

-- The alarms that it is about are looked at in the next cycle.
CREATE FUNCTION alarm_hold_wake(h alarm_holds) RETURNS void
LANGUAGE sql AS $$
	UPDATE anomalies a SET due_at = '-infinity'
	FROM series s JOIN nodes n ON n.id = s.node_id
	WHERE s.id = a.series_id AND (s.id = h.series_id
	    OR n.id = h.node_id OR n.zone_id = h.zone_id)
	    AND (a.state = 'open' OR a.alarm_state <> 'normal')
$$;

CREATE FUNCTION alarm_hold_create(kind text, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	h alarm_holds;
	n nodes;
BEGIN
	h.kind := kind;
	IF (body->>'node' IS NULL) = (body->>'zone' IS NULL) THEN
		PERFORM refuse(422, 'give a node or a zone, and only one of '
		    'them', '/node');
	END IF;
	IF body->>'zone' IS NOT NULL THEN
		SELECT id INTO h.zone_id FROM zones WHERE code = body->>'zone';
		IF NOT FOUND THEN
			PERFORM refuse(422, format('there is no zone %s',
			    body->>'zone'), '/zone');
		END IF;
	ELSE
		n := find_node(body->>'node', '/node');
		h.node_id := n.id;
	END IF;
	IF body->>'metric' IS NOT NULL THEN
		SELECT s.id INTO h.series_id FROM series s JOIN metrics m
		    ON m.id = s.metric_id
		WHERE s.node_id = h.node_id AND m.code = body->>'metric';
		IF NOT FOUND THEN
			PERFORM refuse(422, format('there is no series %s/%s',
			    body->>'node', body->>'metric'), '/metric');
		END IF;
		h.node_id := NULL;
	END IF;
	h.from_at := coalesce((body->>'from')::timestamptz, clock_timestamp());
	h.to_at := (body->>'to')::timestamptz;
	IF h.to_at <= greatest(h.from_at, clock_timestamp()) THEN
		PERFORM refuse(422, 'to is not after from and now', '/to');
	END IF;
	IF kind = 'maintenance' AND h.to_at > h.from_at + interval '31 days'
	THEN
		PERFORM refuse(422, 'maintenance lasts 31 days at most',
		    '/to');
	END IF;
	PERFORM check_zones(who, 'that', ARRAY[alarm_hold_zone(h)]);
	INSERT INTO alarm_holds (kind, node_id, zone_id, series_id, from_at,
	    to_at, reason, created_by, turn_at)
	VALUES (kind, h.node_id, h.zone_id, h.series_id, h.from_at, h.to_at,
	    body->>'reason', who, h.from_at) RETURNING * INTO h;
	RETURN ROW(alarm_hold_json(h), NULL,
	    '/api/v1/alarm-holds/' || h.id)::answer;
END $$;

CREATE FUNCTION alarm_hold_end(wanted bigint, who text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	h alarm_holds;
BEGIN
	SELECT * INTO h FROM alarm_holds WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no hold %s', wanted));
	END IF;
	PERFORM check_zones(who, format('hold %s', wanted),
	    ARRAY[alarm_hold_zone(h)]);
	IF h.ended_at IS NOT NULL THEN
		PERFORM refuse(409, format('hold %s ended at %s', wanted,
		    rfc3339(h.ended_at)));
	END IF;
	UPDATE alarm_holds u SET ended_at = clock_timestamp(), ended_by = who,
	    turn_at = NULL WHERE u.id = wanted RETURNING * INTO h;
	PERFORM alarm_hold_wake(h);
	RETURN ROW(alarm_hold_json(h), NULL, NULL)::answer;
END $$;

-- The whole series: one that is not to be trusted raises other alarms, too.
CREATE FUNCTION alarm_take_out(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
	h alarm_holds;
BEGIN
	INSERT INTO alarm_holds (kind, series_id, from_at, to_at, reason,
	    created_by, turn_at, held)
	VALUES ('out_of_service', a.series_id, clock_timestamp(),
	    (body->>'to')::timestamptz, body->>'reason', who,
	    clock_timestamp(), 1) RETURNING * INTO h;
	RETURN alarm_answer(alarm_move(a, 'take_out', who,
	    jsonb_build_object('hold', h.id, 'reason', h.reason)));
END $$;

CREATE FUNCTION alarm_put_back(wanted bigint, body jsonb, who text,
    if_match text) RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	a anomalies := alarm_hold(wanted, if_match, who);
	facts jsonb := jsonb_build_object('reason', body->>'reason');
BEGIN
	a := alarm_move(a, CASE a.state WHEN 'open' THEN 'put_back'
	    ELSE 'clear' END, who, facts);
	PERFORM alarm_hold_end(h.id, who) FROM alarm_holds h
	WHERE h.kind = 'out_of_service' AND h.series_id = a.series_id
	    AND h.ended_at IS NULL;
	RETURN alarm_answer(a);
END $$;

-- Classes

CREATE FUNCTION alarm_class_json(c alarm_classes) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('severity', c.id, 'needs_ack', c.needs_ack,
	    'latching', c.latching, 'escalate_after_s', c.escalate_after_s,
	    'climb_after_s', c.climb_after_s, 'fall_after_s', c.fall_after_s,
	    'shelve_most_s', c.shelve_most_s,
	    'chatter_limit', c.chatter_limit,
	    'chatter_window_s', c.chatter_window_s,
	    'chatter_hold_s', c.chatter_hold_s)
$$;

-- A time that is null is off.
CREATE FUNCTION alarm_class_change(wanted text, body jsonb, if_match text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	c alarm_classes;
BEGIN
	SELECT * INTO c FROM alarm_classes WHERE id = wanted FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no alarm class %s',
		    wanted));
	END IF;
	PERFORM check_if_match(if_match, etag(c.change));
	UPDATE alarm_classes u SET
	    needs_ack = coalesce((body->>'needs_ack')::boolean, u.needs_ack),
	    latching = coalesce((body->>'latching')::boolean, u.latching),
	    escalate_after_s = CASE WHEN body ? 'escalate_after_s'
	        THEN (body->>'escalate_after_s')::float8
	        ELSE u.escalate_after_s END,
	    climb_after_s = CASE WHEN body ? 'climb_after_s'
	        THEN (body->>'climb_after_s')::float8
	        ELSE u.climb_after_s END,
	    fall_after_s = CASE WHEN body ? 'fall_after_s'
	        THEN (body->>'fall_after_s')::float8
	        ELSE u.fall_after_s END,
	    shelve_most_s = coalesce((body->>'shelve_most_s')::float8,
	        u.shelve_most_s),
	    chatter_limit = CASE WHEN body ? 'chatter_limit'
	        THEN (body->>'chatter_limit')::int
	        ELSE u.chatter_limit END,
	    chatter_window_s = coalesce((body->>'chatter_window_s')::float8,
	        u.chatter_window_s),
	    chatter_hold_s = coalesce((body->>'chatter_hold_s')::float8,
	        u.chatter_hold_s),
	    change = u.change + 1
	WHERE u.id = wanted RETURNING * INTO c;
	UPDATE anomalies SET due_at = '-infinity' WHERE severity = wanted
	    AND (state = 'open' OR alarm_state <> 'normal');
	RETURN ROW(alarm_class_json(c), etag(c.change), NULL)::answer;
END $$;

REVOKE INSERT, UPDATE, DELETE ON alarm_rows FROM penstock_serve;
REVOKE INSERT, DELETE ON alarm_classes FROM penstock_serve;
REVOKE DELETE ON alarm_holds FROM penstock_serve;
REVOKE UPDATE, DELETE ON notifications FROM penstock_serve;
