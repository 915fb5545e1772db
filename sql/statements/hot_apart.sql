-- Tells all instances that one stores readings that it cannot write to Redis.
-- $1 text its name
SELECT pg_notify('penstock_change', 'hot_apart ' || $1::text)
