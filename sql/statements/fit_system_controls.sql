-- The rules of a zone. $1 int4 zone -> link text, open bool, node text, above
-- bool, level float8
SELECT c.link, c.open, c.node, c.above, c.level
FROM zones z CROSS JOIN ROWS FROM (jsonb_to_recordset(z.controls) AS (
    link text, open boolean, node text, above boolean, level float8))
    WITH ORDINALITY AS c(link, open, node, above, level, place)
WHERE z.id = $1::int4 ORDER BY c.place
