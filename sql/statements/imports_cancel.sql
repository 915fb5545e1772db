-- No part is taken any more; what is stored stays. $1 id, $2 who
-- -> one row
SELECT FROM import_end($1::bigint, 'cancelled', $2::text)
WHERE body IS NOT NULL
