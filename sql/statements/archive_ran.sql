-- Whether a run of all that was due has begun since $1 timestamptz and ended
-- well. -> boolean
SELECT EXISTS (SELECT FROM archive_runs
    WHERE due AND began_at >= $1::timestamptz AND ended_at IS NOT NULL
        AND error IS NULL)
