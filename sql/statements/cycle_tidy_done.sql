-- $1 bool monthly, $2 timestamptz at, $3 int4 last series done (NULL: all are),
-- $4 timestamptz now: a pass goes on, and what is stored from its beginning
-- on asks for another one
UPDATE segment_spans SET done = $3::int4,
    dirty = dirty AND done IS NOT NULL,
    loose = loose OR (monthly AND $3::int4 IS NULL),
    tidied = CASE WHEN $3::int4 IS NULL THEN $4::timestamptz ELSE tidied END
WHERE monthly = $1::bool AND at = $2::timestamptz
