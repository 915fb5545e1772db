-- Records what was refused. $1 jsonb array (see audit_refuse()) -> NULL
SELECT NULL::text FROM audit_refuse($1::jsonb)
