-- $1 int4 series, $2 text type, $3 timestamptz -> bool: whether an anomaly of
-- another type was open on it then
SELECT EXISTS (SELECT FROM anomalies WHERE series_id = $1::int4
    AND type <> $2::text AND first_at <= $3::timestamptz
    AND (cleared_at IS NULL OR cleared_at > $3::timestamptz))
