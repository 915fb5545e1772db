-- All holidays.
-- -> body json, etag text
SELECT holidays_json() AS body, holidays_etag() AS etag
