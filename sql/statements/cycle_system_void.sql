-- What is remembered of a system cannot be read: it is learnt anew.
-- $1 int4 zone, $2 timestamptz fitted_at
UPDATE system_states SET state = NULL, lead = NULL, since = NULL,
    newest = NULL, tried_at = '-infinity',
    reason = 'another version learnt it; it is learnt anew'
WHERE zone_id = $1::int4 AND fitted_at = $2::timestamptz
