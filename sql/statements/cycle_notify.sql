-- $1 text payload
SELECT pg_notify('penstock_event', $1::text)
