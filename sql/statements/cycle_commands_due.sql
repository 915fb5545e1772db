-- $1 timestamptz now, $2 int8 most of one gateway, $3 int8 most -> as
-- cycle_commands_of: those whose turn has come; of a plan's queued ones that
-- whose earlier steps are executed
WITH due AS (
	SELECT c.id, row_number() OVER (PARTITION BY c.gateway_id
	    ORDER BY c.next_attempt_at NULLS FIRST, c.id) AS i
	FROM commands c
	WHERE c.state IN ('queued', 'sent', 'accepted', 'unknown')
	    AND c.dead_at IS NULL
	    AND coalesce(c.next_attempt_at, '-infinity') <= $1::timestamptz
	    AND (c.state <> 'queued' OR NOT EXISTS (SELECT FROM commands e
	        WHERE e.plan_id = c.plan_id AND e.step < c.step
	        AND e.state NOT IN ('executed', 'verified')))
)
SELECT c.id, c.plan_id, c.step, c.state, c.link_id, c.gateway_id, l.code,
    g.code, g.url, c.action, c.argument::text, c.key::text, c.not_after,
    c.next_attempt_at, c.attempts, c.asked, c.ask_until, c.repeatable,
    g.secret_version
FROM due
JOIN commands c ON c.id = due.id
JOIN links l ON l.id = c.link_id
JOIN gateways g ON g.id = c.gateway_id
WHERE due.i <= $2::int8
ORDER BY c.next_attempt_at NULLS FIRST, c.id LIMIT $3::int8
