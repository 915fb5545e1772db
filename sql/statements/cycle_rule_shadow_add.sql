-- $1 int4 rule, $2 int4 version, $3 int4 series, $4 text severity,
-- $5 timestamptz first_at, $6 jsonb evidence
SELECT rule_shadow_add($1::int4, $2::int4, $3::int4, $4::text,
    $5::timestamptz, $6::jsonb)
