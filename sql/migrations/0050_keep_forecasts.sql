-- Forecasts: the models of each series, what they said, and how it came.
-- src/app/fit.h makes them at night.

CREATE TABLE models (
	id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	series_id    int NOT NULL REFERENCES series,
	version      int NOT NULL,
	state        text NOT NULL CHECK (state IN ('champion', 'challenger',
	    'retired')),
	reason       text NOT NULL, -- of the state
	fitted_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	trained_from timestamptz NOT NULL,
	trained_to   timestamptz NOT NULL,
	-- Tried on what came after trained_to, from so many daily origins, beside
	-- the value a week before and the champion of that day.
	origins      int NOT NULL,
	hours        int NOT NULL CHECK (hours > 0),
	mae          float8 NOT NULL,
	naive_mae    float8 NOT NULL,
	inside       int NOT NULL, -- hours within the 95 % interval
	rival_id     bigint,
	rival_mae    float8,
	format       int NOT NULL, -- FORECAST_VERSION
	model        bytea COMPRESSION lz4 NOT NULL,
	crowned_at   timestamptz,
	promoted_at  timestamptz,
	promoted_by  text,
	promoted_why text,
	CONSTRAINT models_version_key UNIQUE (series_id, version)
);
CREATE UNIQUE INDEX models_champion_key ON models (series_id)
	WHERE state = 'champion';
CREATE UNIQUE INDEX models_challenger_key ON models (series_id)
	WHERE state = 'challenger';

-- What people do; what nights do is in the table itself.
CREATE TRIGGER audit_change AFTER UPDATE ON models
	FOR EACH ROW WHEN (NEW.promoted_at IS DISTINCT FROM OLD.promoted_at)
	EXECUTE FUNCTION audit_note('model');

-- Where each series stands. The times are noted before the work is begun, so
-- that a series on which everything dies is passed over until the next night.
CREATE TABLE forecast_states (
	series_id    int PRIMARY KEY REFERENCES series,
	tried_at     timestamptz, -- a model was learnt, or refused
	predicted_at timestamptz,
	refused      text -- why there is no new forecast
);

-- From the origin on, hour by hour; NaN: nothing can be said of that hour.
CREATE TABLE predictions (
	series_id int NOT NULL REFERENCES series,
	model_id  bigint NOT NULL REFERENCES models ON DELETE CASCADE,
	origin    timestamptz NOT NULL,
	made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	value     float8[] COMPRESSION lz4 NOT NULL,
	lower95   float8[] COMPRESSION lz4 NOT NULL,
	upper95   float8[] COMPRESSION lz4 NOT NULL,
	PRIMARY KEY (series_id, model_id, origin)
);
CREATE INDEX predictions_made_idx ON predictions (series_id, made_at);
CREATE INDEX predictions_model_idx ON predictions (model_id);

-- How it came: of a UTC day, by how many whole days (0 to 6) the hours were
-- ahead of the origin.
CREATE TABLE model_scores (
	model_id    bigint NOT NULL REFERENCES models ON DELETE CASCADE,
	day         date NOT NULL,
	lead_days   int2 NOT NULL,
	hours       int NOT NULL CHECK (hours > 0),
	error       float8 NOT NULL, -- sums
	naive_error float8 NOT NULL,
	inside      int NOT NULL,
	PRIMARY KEY (model_id, day, lead_days)
);

CREATE TABLE fit_runs (
	id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	night     timestamptz NOT NULL CONSTRAINT fit_runs_night_key UNIQUE,
	began_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	ended_at  timestamptz,
	predicted int NOT NULL DEFAULT 0, -- series
	fitted    int NOT NULL DEFAULT 0,
	crowned   int NOT NULL DEFAULT 0,
	refused   int NOT NULL DEFAULT 0,
	left_over int -- not reached within the budget
);

REVOKE DELETE ON fit_runs, forecast_states FROM penstock_serve;

-- What forecasts are made of.
CREATE VIEW forecast_series AS
SELECT s.id, s.node_id, n.code AS node, m.code AS metric, m.unit
FROM series s JOIN nodes n ON n.id = s.node_id
    JOIN metrics m ON m.id = s.metric_id
WHERE s.kind = 'instant' AND m.code IN ('flow', 'pressure', 'level')
    AND s.retired_at IS NULL AND n.retired_at IS NULL;

-- The run that is to be at work now, begun if need be; no row if none is.
-- at: hh:mm in the zone.
CREATE FUNCTION fit_run(zone text, at time, budget_s float8)
RETURNS TABLE (id bigint, began_at timestamptz, left_s float8)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	today timestamp := date_trunc('day', now() AT TIME ZONE zone);
	due timestamptz := (today + at) AT TIME ZONE zone;
BEGIN
	IF due > now() THEN
		due := (today - interval '1 day' + at) AT TIME ZONE zone;
	END IF;
	UPDATE fit_runs SET ended_at = now()
	WHERE ended_at IS NULL AND (night <> due
	    OR now() >= due + budget_s * interval '1 s');
	IF now() >= due + budget_s * interval '1 s' THEN
		RETURN;
	END IF;
	INSERT INTO fit_runs (night) VALUES (due) ON CONFLICT DO NOTHING;
	RETURN QUERY SELECT r.id, r.began_at,
	    budget_s - extract(epoch FROM now() - due)::float8 FROM fit_runs r
	WHERE r.night = due AND r.ended_at IS NULL;
END $$;

-- Of one series one at a time: who fits and who promotes.
CREATE FUNCTION models_lock(wanted int) RETURNS void LANGUAGE sql AS $$
	SELECT pg_advisory_xact_lock(hashtextextended('models', wanted))
$$;

-- A champion and a challenger are kept, and of those before them the newest
-- three that ever reigned and three that never did.
CREATE FUNCTION models_prune(wanted int) RETURNS void LANGUAGE sql AS $$
	DELETE FROM models m USING (
		SELECT o.id, row_number() OVER (
		    PARTITION BY o.crowned_at IS NULL ORDER BY o.id DESC) AS place
		FROM models o WHERE o.series_id = wanted
		    AND o.state = 'retired') r
	WHERE m.id = r.id AND r.place > 3
$$;

-- A new model. wins: it was better than the rival, or there was none; it
-- reigns then, unless somebody put another in the rival's place meanwhile.
CREATE FUNCTION model_add(m models, wins boolean) RETURNS models
LANGUAGE plpgsql AS $$
DECLARE
	champion bigint;
BEGIN
	PERFORM models_lock(m.series_id);
	SELECT id INTO champion FROM models
	WHERE series_id = m.series_id AND state = 'champion';
	wins := wins AND champion IS NOT DISTINCT FROM m.rival_id;
	m.reason := CASE WHEN wins AND champion IS NULL
	    THEN 'there was no other'
	    WHEN wins AND m.rival_mae IS NULL
	    THEN format('version %s is of another format',
	        (SELECT version FROM models WHERE id = champion))
	    WHEN wins THEN format('its error is lower than that of version %s',
	        (SELECT version FROM models WHERE id = champion))
	    WHEN champion IS DISTINCT FROM m.rival_id
	    THEN 'another was promoted meanwhile'
	    ELSE format('its error is not lower than that of version %s',
	        (SELECT version FROM models WHERE id = champion)) END;
	UPDATE models SET state = 'retired', reason = CASE state
	    WHEN 'champion' THEN 'a better one took its place'
	    ELSE 'a newer challenger took its place' END
	WHERE series_id = m.series_id AND (state = 'challenger'
	    OR (wins AND state = 'champion'));
	INSERT INTO models (series_id, version, state, reason, trained_from,
	    trained_to, origins, hours, mae, naive_mae, inside, rival_id,
	    rival_mae, format, model, crowned_at)
	SELECT m.series_id, coalesce(max(o.version), 0) + 1,
	    CASE WHEN wins THEN 'champion' ELSE 'challenger' END, m.reason,
	    m.trained_from, m.trained_to, m.origins, m.hours, m.mae,
	    m.naive_mae, m.inside, m.rival_id, m.rival_mae, m.format, m.model,
	    CASE WHEN wins THEN clock_timestamp() END
	FROM models o WHERE o.series_id = m.series_id
	RETURNING * INTO m;
	PERFORM models_prune(m.series_id);
	RETURN m;
END $$;

CREATE FUNCTION model_promote(wanted bigint, body jsonb, who text)
RETURNS answer LANGUAGE plpgsql AS $$
DECLARE
	m models;
BEGIN
	PERFORM change_begin();
	SELECT * INTO m FROM models WHERE id = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no model %s', wanted));
	END IF;
	PERFORM models_lock(m.series_id);
	SELECT * INTO m FROM models WHERE id = wanted;
	IF NOT FOUND THEN
		PERFORM refuse(404, format('there is no model %s', wanted));
	END IF;
	IF m.state = 'champion' THEN
		PERFORM refuse(409, format('model %s is the champion already',
		    wanted));
	END IF;
	-- Another release reads its own format alone.
	IF m.format <> coalesce((SELECT max(o.format) FROM models o
	    WHERE o.series_id = m.series_id), m.format) THEN
		PERFORM refuse(409, format('model %s is of an older format',
		    wanted));
	END IF;
	UPDATE models SET state = 'retired',
	    reason = format('%s promoted version %s', who, m.version)
	WHERE series_id = m.series_id AND state = 'champion';
	UPDATE models SET state = 'champion',
	    reason = format('promoted by %s', who),
	    crowned_at = clock_timestamp(), promoted_at = clock_timestamp(),
	    promoted_by = who, promoted_why = body->>'reason'
	WHERE id = wanted RETURNING * INTO m;
	PERFORM pg_notify('penstock_change', 'models');
	RETURN ROW(model_json(m), NULL, NULL)::answer;
END $$;

-- Of sums; 1: no error at all, 0: as good as the value a week before.
CREATE FUNCTION forecast_figures(hours bigint, error float8,
    naive_error float8, inside bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_build_object('hours', hours, 'mae', error / hours,
	    'naive_mae', naive_error / hours,
	    'skill', 1 - error / nullif(naive_error, 0),
	    'coverage', inside::float8 / hours)
	WHERE hours > 0
$$;

-- How its forecasts of the last four weeks came; NULL: none has come yet.
CREATE FUNCTION model_tracked(wanted bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	WITH s AS (
		SELECT * FROM model_scores c WHERE c.model_id = wanted
		    AND c.day > (now() AT TIME ZONE 'UTC')::date - 28
	), ahead AS (
		SELECT lead_days, sum(hours) AS hours, sum(error) AS error,
		    sum(naive_error) AS naive_error, sum(inside) AS inside
		FROM s GROUP BY lead_days
	)
	SELECT forecast_figures(sum(hours)::bigint, sum(error),
	    sum(naive_error), sum(inside)::bigint)
	    || jsonb_build_object('since', (SELECT min(day) FROM s),
	    'ahead', jsonb_agg(jsonb_build_object('days', lead_days)
	        || forecast_figures(hours, error, naive_error, inside)
	        ORDER BY lead_days))
	FROM ahead HAVING count(*) > 0
$$;

CREATE FUNCTION model_json(m models) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', m.id, 'node', n.code, 'metric', t.code,
	    'unit', t.unit, 'version', m.version, 'state', m.state,
	    'reason', m.reason, 'fitted_at', rfc3339(m.fitted_at),
	    'trained_from', rfc3339(m.trained_from),
	    'trained_to', rfc3339(m.trained_to),
	    'crowned_at', rfc3339(m.crowned_at),
	    'promoted', CASE WHEN m.promoted_at IS NOT NULL THEN
	        json_build_object('by', m.promoted_by,
	        'at', rfc3339(m.promoted_at), 'reason', m.promoted_why) END,
	    'tested', forecast_figures(m.hours, m.mae * m.hours,
	        m.naive_mae * m.hours, m.inside)
	        || jsonb_build_object('origins', m.origins,
	        'rival', m.rival_id, 'rival_mae', m.rival_mae),
	    'tracked', model_tracked(m.id))
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics t ON t.id = s.metric_id WHERE s.id = m.series_id
$$;

CREATE FUNCTION fit_run_json(r fit_runs) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('night', rfc3339(r.night),
	    'began_at', rfc3339(r.began_at), 'ended_at', rfc3339(r.ended_at),
	    'predicted', r.predicted, 'fitted', r.fitted,
	    'crowned', r.crowned, 'refused', r.refused, 'left', r.left_over)
$$;

-- "168h" or "7d" as hours.
CREATE FUNCTION forecast_hours(horizon text) RETURNS int
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	hours int;
BEGIN
	IF horizon ~ '^[1-9][0-9]{0,2}[hd]$' THEN
		hours := left(horizon, -1)::int
		    * CASE right(horizon, 1) WHEN 'd' THEN 24 ELSE 1 END;
	END IF;
	IF hours IS NULL OR hours > 168 THEN
		PERFORM refuse(422, 'horizon is from 1h to 168h, or 1d to 7d');
	END IF;
	RETURN hours;
END $$;

CREATE FUNCTION prediction_points(p predictions, hours int) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object(
	    'ts', rfc3339(p.origin + (u.i - 1) * interval '1 h'),
	    'value', u.value, 'lower95', nullif(u.lower95, 'NaN'),
	    'upper95', nullif(u.upper95, 'NaN')) ORDER BY u.i), '[]')
	FROM unnest(p.value, p.lower95, p.upper95) WITH ORDINALITY
	    AS u(value, lower95, upper95, i)
	WHERE u.i <= hours AND u.value <> 'NaN'
$$;

-- The newest forecast of a series; no row if there is no such series.
CREATE FUNCTION prediction_json(wanted_node text, wanted_metric text,
    most int) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('node', n.code, 'metric', t.code,
	    'unit', t.unit, 'horizon_h', most,
	    'origin', rfc3339(p.origin), 'made_at', rfc3339(p.made_at),
	    'stale', coalesce(p.origin < now() - interval '36 h', false),
	    'reason', CASE
	        WHEN p.origin >= now() - interval '36 h' THEN NULL
	        WHEN v.id IS NULL
	        THEN 'forecasts are made of flow, pressure and level in use'
	        ELSE coalesce(f.refused, 'its turn has not come yet') END,
	    'model', CASE WHEN p.model_id IS NOT NULL THEN
	        json_build_object('id', m.id, 'version', m.version) END,
	    'tested', forecast_figures(m.hours, m.mae * m.hours,
	        m.naive_mae * m.hours, m.inside),
	    'tracked', model_tracked(m.id),
	    'points', coalesce(prediction_points(p, most), '[]'))
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics t ON t.id = s.metric_id
	    LEFT JOIN forecast_series v ON v.id = s.id
	    LEFT JOIN forecast_states f ON f.series_id = s.id
	    LEFT JOIN LATERAL (SELECT * FROM predictions o
	        WHERE o.series_id = s.id ORDER BY o.made_at DESC LIMIT 1) p
	        ON true
	    LEFT JOIN models m ON m.id = p.model_id
	WHERE n.code = wanted_node AND t.code = wanted_metric
$$;
