-- Whether the partition changed since its archive was begun. $1 archive int4
-- -> boolean
SELECT touched FROM archives WHERE id = $1::int4
