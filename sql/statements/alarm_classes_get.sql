-- How alarms of a severity are dealt with. $1 severity
-- -> body json, etag text
SELECT alarm_class_json(c) AS body, etag(c.change) AS etag
FROM alarm_classes c WHERE c.id = $1::text
