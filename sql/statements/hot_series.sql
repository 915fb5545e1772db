-- Series by number, for the keeper of the hot tier. $1 int4 after, $2 int4 most
-- -> id int4
SELECT id FROM series WHERE id > $1::int4 ORDER BY id LIMIT $2::int4
