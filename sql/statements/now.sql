-- The database answers. -> now timestamptz
SELECT now()
