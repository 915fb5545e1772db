-- Holidays. $1 int4 most -> day int4 (days since 1970-01-01), name text, rising
SELECT day - date '1970-01-01', name FROM holidays ORDER BY day LIMIT $1::int4
