-- Why a system is not learnt; one that was before goes on. $1 int4 zone, $2
-- int4[] offered, $3 text reason
UPDATE system_states SET reason = $3::text,
    offered = CASE WHEN state IS NULL THEN $2::int4[] ELSE offered END
WHERE zone_id = $1::int4
