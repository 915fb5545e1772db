-- The record as verify-audit checks it, by no function of ours -> id, the
-- columns of a row's content in their order, prev and hash in hex
SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    actor, role, address, session, request_id, action, target, outcome,
    status, detail, array_to_string(nodes, ','), changes,
    encode(prev, 'hex'), encode(hash, 'hex')
FROM audit ORDER BY id
