-- $1 int8 plan, $2 text policy -> bool: it allows it, and the plan is approved
SELECT plan_unasked($1::int8, $2::text)
