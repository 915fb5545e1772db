-- $1 int8 plan, $2 int4 step, $3 int4 link, $4 int4 gateway, $5 text action,
-- $6 jsonb argument, $7 uuid key, $8 int4 repeatable (0, 1)
INSERT INTO commands (plan_id, step, state, link_id, gateway_id, action,
    argument, key, repeatable)
VALUES ($1::int8, $2::int4, 'planned', $3::int4, $4::int4, $5::text,
    $6::jsonb, $7::uuid, $8::int4 <> 0)
