-- How alarms of each severity are dealt with.
-- -> body json
SELECT json_build_object('items', json_agg(alarm_class_json(c)
    ORDER BY array_position('{info,warning,critical}', c.id))) AS body
FROM alarm_classes c
