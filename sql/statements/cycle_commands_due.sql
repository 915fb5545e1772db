-- $1 timestamptz now, $2 int8 most -> as cycle_commands_of: those whose
-- turn has come, their earlier steps done
SELECT c.id, c.plan_id, c.step, c.state, c.link_id, c.gateway_id, l.code,
    g.code, g.url, c.action, c.argument::text, c.key::text, c.not_after,
    c.next_attempt_at, c.attempts
FROM commands c
JOIN links l ON l.id = c.link_id
JOIN gateways g ON g.id = c.gateway_id
WHERE c.state IN ('queued', 'sent')
    AND coalesce(c.next_attempt_at, '-infinity') <= $1::timestamptz
    AND NOT EXISTS (SELECT FROM commands e WHERE e.plan_id = c.plan_id
	AND e.step < c.step AND e.state <> 'done')
ORDER BY c.next_attempt_at NULLS FIRST, c.id LIMIT $2::int8
