-- What a rule would have raised in shadow, beside what it raised. $1 code,
-- $2 since or NULL (7 days), $3 limit
-- -> body json
SELECT rule_shadow_json(r, coalesce($2::text::timestamptz,
    now() - interval '7 days'), $3::int) AS body
FROM rules r WHERE r.code = $1::text
