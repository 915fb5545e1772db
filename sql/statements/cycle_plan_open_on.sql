-- $1 int4 link -> bool: a plan that is not final has a command for it
SELECT EXISTS (SELECT FROM plans p JOIN commands c ON c.plan_id = p.id
    WHERE p.closed_at IS NULL AND c.link_id = $1::int4)
