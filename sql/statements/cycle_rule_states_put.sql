-- $1 int4[] rule, $2 int4[] version, $3 int4[] shadow (0, 1), $4 bytea[] state;
-- an empty state is one less
WITH given AS (
	SELECT rule, version, shadow = 1 AS shadow, state
	FROM unnest($1::int4[], $2::int4[], $3::int4[], $4::bytea[])
	    AS u(rule, version, shadow, state)),
gone AS (
	DELETE FROM rule_states s USING given g
	WHERE s.rule_id = g.rule AND s.shadow = g.shadow
	    AND s.version = g.version AND g.state = '')
INSERT INTO rule_states (rule_id, version, shadow, state)
SELECT rule, version, shadow, state FROM given WHERE state <> ''
ON CONFLICT (rule_id, shadow, version) DO UPDATE SET state = excluded.state
