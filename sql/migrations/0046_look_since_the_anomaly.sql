-- What was before a plan is what was since its anomaly began: the water that was
-- still well is not what the plan is to mend; before what undoes another, it is
-- what was since that one was done. It ends as the first command is sent, so
-- that who agrees at once leaves something to look at.

ALTER TABLE plans ADD COLUMN sent_at timestamptz; -- the first command was sent

-- As the loop looks at it; plans of before have no sent_at.
CREATE OR REPLACE FUNCTION dossier_proof(p plans, of int, until timestamptz)
RETURNS json LANGUAGE sql STABLE AS $$
	SELECT dossier_readings(of, greatest(least(e.first_at, e.before),
	    e.before - coalesce(nullif(p.before_s, 0), p.effect_window_s)
	    * interval '1 s'), until, until)
	FROM (SELECT coalesce(p.sent_at, p.decided_at, p.executed_at) AS before,
	        coalesce((SELECT o.executed_at + o.dwell_s * interval '1 s'
	            FROM plans o WHERE o.id = p.undoes), a.first_at) AS first_at
	    FROM anomalies a WHERE a.id = p.anomaly_id) e
	WHERE p.executed_at IS NOT NULL
$$;
