-- What is remembered of a system is of no use: it is learnt anew, if it is one
-- still. $1 int4 zone, $2 timestamptz fitted_at, $3 text why
UPDATE system_states SET state = NULL, lead = NULL, since = NULL,
    newest = NULL, tried_at = '-infinity', reason = $3::text
WHERE zone_id = $1::int4 AND fitted_at = $2::timestamptz
