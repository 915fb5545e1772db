-- How far a run is. $1 run int4, $2 class and day text or NULL: as before,
-- $3 readings written since int8, $4 months done since int4
UPDATE archive_runs SET said_at = clock_timestamp(),
    at = coalesce($2::text, at), readings = readings + $3::int8,
    months = months + $4::int4
WHERE id = $1::int4
