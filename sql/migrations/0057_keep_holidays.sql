-- Days on which people use water unlike their weekday: forecasts know of them.
CREATE TABLE holidays (
	day  date PRIMARY KEY CHECK (day BETWEEN '1970-01-01' AND '2199-12-31'),
	name text NOT NULL CHECK (length(name) <= 100) -- '' if it has none
);

-- As audit_note(), which names a row by its id.
CREATE FUNCTION holiday_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM audit_add(TG_TABLE_NAME, lower(TG_OP),
	    CASE WHEN TG_OP <> 'INSERT' THEN
	        jsonb_build_object('id', OLD.day, 'name', OLD.name) END,
	    CASE WHEN TG_OP <> 'DELETE' THEN
	        jsonb_build_object('id', NEW.day, 'name', NEW.name) END);
	RETURN NULL;
END $$;
CREATE TRIGGER audit_put AFTER INSERT OR DELETE ON holidays
	FOR EACH ROW EXECUTE FUNCTION holiday_note();
CREATE TRIGGER audit_change AFTER UPDATE ON holidays
	FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*)
	EXECUTE FUNCTION holiday_note();

CREATE FUNCTION holidays_json() RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('holidays', coalesce(json_agg(
	    json_build_object('date', day, 'name', nullif(name, ''))
	    ORDER BY day), '[]')) FROM holidays
$$;

-- Of what is there, whoever wrote it.
CREATE FUNCTION holidays_etag() RETURNS text LANGUAGE sql STABLE AS $$
	SELECT '"' || md5(coalesce(string_agg(day || name, E'\n' ORDER BY day),
	    '')) || '"' FROM holidays
$$;

-- Whether that is a day as 2026-12-25.
CREATE FUNCTION is_date(s text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN s ~ '^(19[7-9]|2[01][0-9])[0-9]-(0[1-9]|1[0-2])-[0-9][0-9]$'
	    THEN right(s, 2)::int BETWEEN 1 AND extract(day FROM
	        make_date(left(s, 4)::int, substr(s, 6, 2)::int, 1)
	        + interval '1 month - 1 day')
	    ELSE false END
$$;

-- The whole list. Days that stay as they are are no change.
CREATE FUNCTION holidays_put(body jsonb, if_match text) RETURNS answer
LANGUAGE plpgsql AS $$
DECLARE
	wrong record;
BEGIN
	PERFORM change_begin();
	IF if_match IS NOT NULL THEN
		PERFORM check_if_match(if_match, holidays_etag());
	END IF;
	SELECT ord - 1 AS i, e->>'date' AS day INTO wrong
	FROM jsonb_array_elements(body->'holidays') WITH ORDINALITY u(e, ord)
	WHERE NOT is_date(e->>'date') ORDER BY ord LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(422, format('%s is no day of 1970 to 2199; a '
		    'date is like 2026-12-25', wrong.day),
		    format('/holidays/%s/date', wrong.i));
	END IF;
	SELECT max(ord) - 1 AS i, e->>'date' AS day INTO wrong
	FROM jsonb_array_elements(body->'holidays') WITH ORDINALITY u(e, ord)
	GROUP BY e->>'date' HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		PERFORM refuse(422, format('%s is given twice', wrong.day),
		    format('/holidays/%s/date', wrong.i));
	END IF;
	DELETE FROM holidays h WHERE NOT EXISTS (
	    SELECT FROM jsonb_array_elements(body->'holidays') e
	    WHERE e->>'date' = h.day::text);
	INSERT INTO holidays AS h (day, name)
	SELECT (e->>'date')::date, coalesce(e->>'name', '')
	FROM jsonb_array_elements(body->'holidays') e
	ON CONFLICT (day) DO UPDATE SET name = excluded.name
	WHERE h.name <> excluded.name;
	RETURN ROW(holidays_json(), holidays_etag(), NULL)::answer;
END $$;

-- Whether PostgreSQL's clocks know it; of what it does not, no area's leaks
-- are looked for, and nothing is forecast.
CREATE FUNCTION zone_known(zone text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM now() AT TIME ZONE zone;
	RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN false;
END $$;

-- Whether so many hours of 95 % intervals held what they promise, give or take
-- ten points; NULL: of fewer than three days nobody can say.
CREATE FUNCTION forecast_calibrated(hours bigint, inside bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT inside >= 0.85 * hours WHERE hours >= 72
$$;

CREATE OR REPLACE FUNCTION model_tracked(wanted bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	WITH s AS (
		SELECT * FROM model_scores c WHERE c.model_id = wanted
		    AND c.day > (now() AT TIME ZONE 'UTC')::date - 28
	), ahead AS (
		SELECT lead_days, sum(hours) AS hours, sum(error) AS error,
		    sum(naive_error) AS naive_error, sum(inside) AS inside,
		    forecast_calibrated(sum(hours), sum(inside)) AS calibrated
		FROM s GROUP BY lead_days
	)
	SELECT forecast_figures(sum(hours)::bigint, sum(error),
	    sum(naive_error), sum(inside)::bigint)
	    || jsonb_build_object('since', (SELECT min(day) FROM s),
	    'calibrated', bool_and(calibrated),
	    'ahead', jsonb_agg(jsonb_build_object('days', lead_days,
	        'calibrated', calibrated)
	        || forecast_figures(hours, error, naive_error, inside)
	        ORDER BY lead_days))
	FROM ahead HAVING count(*) > 0
$$;
