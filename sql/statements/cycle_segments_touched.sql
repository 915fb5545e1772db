-- $1 timestamptz[]: rows were stored on these UTC days
SELECT segments_touched($1::timestamptz[])
