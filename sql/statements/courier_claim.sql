-- Deliveries that are due, for the one who asks. $1 int at most, $2 int of
-- those at most to webhooks whose last one failed, $3 int4[] webhooks that
-- something is under way to, $4 float8 seconds for which they are his
-- -> webhook int, event int8, attempt int, url text, type text, body text,
-- version int, old secret too bool, the last one failed bool
SELECT webhook, event, attempt, url, type, body, version, old_too, is_ailing
FROM deliveries_claim($1::int, $2::int, $3::int4[], $4::float8)
