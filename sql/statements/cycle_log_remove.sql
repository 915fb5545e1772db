-- $1 int8[] ids: exactly the rows that were merged
DELETE FROM ingest_log WHERE id = ANY ($1::int8[])
