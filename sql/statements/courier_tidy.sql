-- Keeps events bounded and seals dossiers, some of it. $1 float8 seconds that
-- events are kept, $2 int8 at most -> bool: there may be more
SELECT events_prune($1::float8 * interval '1 s', $2::int8)
    OR dossiers_seal(20) >= 20
