-- $1 rollups_open[]: of new readings only, added where the same 5 minutes are
-- open. As many rows are updated as series had them; the rest is for
-- cycle_open_turn. An UPDATE costs a third less than INSERT … ON CONFLICT.
UPDATE rollups_open AS r SET
    n = r.n + e.n,
    good = r.good + e.good,
    sum = r.sum + e.sum,
    min = least(r.min, e.min),
    max = greatest(r.max, e.max),
    sumsq = r.sumsq + e.sumsq,
    first_ts = least(r.first_ts, e.first_ts),
    first = CASE WHEN e.first_ts < r.first_ts THEN e.first ELSE r.first END,
    last_ts = greatest(r.last_ts, e.last_ts),
    last = CASE WHEN e.last_ts > r.last_ts THEN e.last ELSE r.last END
FROM unnest($1::rollups_open[]) AS e
WHERE r.series = e.series AND r.bucket = e.bucket
