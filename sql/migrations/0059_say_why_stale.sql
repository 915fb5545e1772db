-- Why a forecast that was made of late is stale all the same: nothing was read.
CREATE OR REPLACE FUNCTION prediction_json(wanted_node text, wanted_metric text,
    most int) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('node', n.code, 'metric', t.code,
	    'unit', t.unit, 'horizon_h', most,
	    'origin', rfc3339(p.origin), 'made_at', rfc3339(p.made_at),
	    'stale', coalesce(p.origin < now() - interval '36 h', false),
	    'reason', CASE
	        WHEN p.origin >= now() - interval '36 h' THEN NULL
	        WHEN v.id IS NULL
	        THEN 'forecasts are made of flow, pressure and level in use'
	        WHEN f.refused IS NULL AND p.made_at > p.origin + interval '36 h'
	        THEN 'there is no good reading since ' || rfc3339(p.origin)
	        ELSE coalesce(f.refused, 'its turn has not come yet') END,
	    'model', CASE WHEN p.model_id IS NOT NULL THEN
	        json_build_object('id', m.id, 'version', m.version) END,
	    'tested', forecast_figures(m.hours, m.mae * m.hours,
	        m.naive_mae * m.hours, m.inside),
	    'tracked', model_tracked(m.id),
	    'points', coalesce(prediction_points(p, most), '[]'))
	FROM series s JOIN nodes n ON n.id = s.node_id
	    JOIN metrics t ON t.id = s.metric_id
	    LEFT JOIN forecast_series v ON v.id = s.id
	    LEFT JOIN forecast_states f ON f.series_id = s.id
	    LEFT JOIN LATERAL (SELECT * FROM predictions o
	        WHERE o.series_id = s.id ORDER BY o.made_at DESC LIMIT 1) p
	        ON true
	    LEFT JOIN models m ON m.id = p.model_id
	WHERE n.code = wanted_node AND t.code = wanted_metric
$$;
