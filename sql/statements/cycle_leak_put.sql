-- $1 int4 lead, $2 members and $3 signs as text, $4 timestamptz upto, $5 bytea
-- state, $6 text zone or NULL, $7 int4: 1 if the judge was told of a dismissal
INSERT INTO leak_states AS t (lead, members, signs, upto, state, zone)
VALUES ($1::int4, $2::text::int[], $3::text::float8[], $4::timestamptz,
    $5::bytea, $6::text)
ON CONFLICT (lead) DO UPDATE SET members = excluded.members,
    signs = excluded.signs, upto = excluded.upto, state = excluded.state,
    zone = excluded.zone, dismissed = t.dismissed AND $7::int4 = 0
