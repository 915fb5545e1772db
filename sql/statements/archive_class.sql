-- Whether there is such a retention class. $1 code text -> boolean
SELECT EXISTS (SELECT FROM retention_classes WHERE code = $1::text)
