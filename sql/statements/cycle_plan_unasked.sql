-- $1 int8 plan, $2 text policy -> bool: it allows it, and the plan is approved.
-- What a person proposed, no policy allows.
SELECT CASE WHEN EXISTS (SELECT FROM plans WHERE id = $1::int8
    AND proposed_by IS NOT NULL) THEN false
    ELSE plan_unasked($1::int8, $2::text) END
