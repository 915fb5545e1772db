-- -> rule int4, version int4, shadow bool, code text, body text: what is
-- judged now
SELECT r.id, v.version, u.shadow, r.code, v.body::text
FROM rules r
CROSS JOIN LATERAL (VALUES
    (CASE WHEN r.mode <> 'off' THEN r.version END, r.mode = 'shadow'),
    (CASE WHEN r.mode = 'live' THEN r.shadow_version END, true))
    AS u(version, shadow)
JOIN rule_versions v ON v.rule_id = r.id AND v.version = u.version
ORDER BY r.id, u.shadow
