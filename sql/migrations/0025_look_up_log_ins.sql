-- The buckets an attempt draws on are looked for one by one: a join was planned
-- as a walk through all of them.
CREATE OR REPLACE FUNCTION login_waits(name text, place inet,
    at_home boolean, tries int, t timestamptz)
RETURNS TABLE (key bytea, every interval, burst interval, wait interval)
LANGUAGE sql AS $$
	SELECT k.key, l.every, l.times * tries * l.every,
	    (SELECT b.full_at FROM login_buckets b WHERE b.key = k.key)
	        + l.every - l.times * tries * l.every - t
	FROM login_limits l
	    CROSS JOIN LATERAL (SELECT login_key(l.kind, name, place)) k(key)
	WHERE l.kind = 'pair' OR NOT at_home
	ORDER BY l.ord
$$;
