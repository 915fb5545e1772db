-- $1 timestamptz now: what was raised at that time is grouped with what is
-- near it; incidents of which no alarm is left are closed
SELECT incidents_group($1::timestamptz)
