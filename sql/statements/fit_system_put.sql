-- A system is learnt. $1 int4 zone, $2 int4[] offered, $3 int4[] members, $4
-- int4 step_s, $5 timestamptz learnt_from, $6 learnt_to, $7 bytea state. What
-- was told stays told.
UPDATE system_states SET reason = NULL, offered = $2::int4[],
    members = $3::int4[], step_s = $4::int4, fitted_at = tried_at,
    learnt_from = $5::timestamptz, learnt_to = $6::timestamptz,
    told = CASE WHEN state IS NOT NULL THEN greatest(told, $6)
        ELSE $6::timestamptz END, upto = $6, state = $7::bytea
WHERE zone_id = $1::int4
