-- The catalogue of metrics.
-- -> body json
SELECT json_build_object('items', json_agg(json_build_object(
    'code', m.code, 'name', m.name, 'unit', m.unit, 'kind', m.kind,
    'plausible_low', m.plausible_low, 'plausible_high', m.plausible_high,
    'units', (SELECT json_agg(u.code ORDER BY u.code) FROM units u
        WHERE u.canonical = m.unit))
    ORDER BY m.id), 'next', NULL) AS body
FROM metrics m
