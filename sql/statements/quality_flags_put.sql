-- Keep what a check found. $1 series, $2 kind, $3 items jsonb, $4 who -> one
-- row, void
SELECT quality_flags_put($1::int, $2::text, $3::jsonb, $4::text)
