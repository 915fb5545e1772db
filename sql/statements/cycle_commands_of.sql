-- $1 int8 plan -> id, plan int8, step int4, state text, link, gateway int4,
-- their codes, url, action, argument, key text, not_after, next_attempt_at
-- timestamptz, attempts, asked int4, ask_until timestamptz, repeatable bool,
-- secret_version int4; by step
SELECT c.id, c.plan_id, c.step, c.state, c.link_id, c.gateway_id, l.code,
    g.code, g.url, c.action, c.argument::text, c.key::text, c.not_after,
    c.next_attempt_at, c.attempts, c.asked, c.ask_until, c.repeatable,
    g.secret_version
FROM commands c
JOIN links l ON l.id = c.link_id
JOIN gateways g ON g.id = c.gateway_id
WHERE c.plan_id = $1::int8 ORDER BY c.step, c.id
