-- The open leak of an area. $1 int4 lead, $2 timestamptz since (NULL: there is
-- none), $3 int4 growth (0, 1), $4 float8 size, $5 largest, $6 fresh, $7
-- volume, $8 confidence, $9 night, $10 usual, $11 band
UPDATE leak_states SET since = $2::timestamptz, growth = $3::int4 = 1,
    size = $4::float8, largest = $5::float8, fresh = $6::float8,
    volume = $7::float8, confidence = $8::float8, night = $9::float8,
    usual = $10::float8, band = $11::float8
WHERE lead = $1::int4
