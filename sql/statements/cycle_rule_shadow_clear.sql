-- $1 int4 rule, $2 int4 version, $3 timestamptz at
UPDATE rule_shadow_findings SET cleared_at = $3::timestamptz
WHERE rule_id = $1::int4 AND version = $2::int4 AND cleared_at IS NULL
