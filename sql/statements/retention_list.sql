-- Retention classes and their metrics. -> body json
SELECT json_build_object('items', json_agg(retention_json(c) ORDER BY c.id),
    'next', NULL) AS body
FROM retention_classes c
