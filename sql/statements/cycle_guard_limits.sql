-- Within which values alone a link is moved. $1 int4 link, $2 text action
-- -> series int4, low, high float8 (NaN: none)
SELECT series_id, coalesce(low, 'NaN'), coalesce(high, 'NaN')
FROM link_limits
WHERE link_id = $1::int4 AND (action IS NULL OR action = $2::text)
ORDER BY id
