-- The first row of a subject's history. $1 text subject, $2 int8 id, $3 text
-- rule, $4 state, $5 timestamptz at, $6 jsonb facts, $7 int8
-- knowledge_version
INSERT INTO transitions (subject, subject_id, row_id, to_state, at, actor,
    facts, knowledge_version)
VALUES ($1::text, $2::int8, $3::text, $4::text, $5::timestamptz, 'loop',
    $6::jsonb, $7::int8)
