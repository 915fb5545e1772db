-- Who asks for the statement that follows in the same transaction, from where:
-- for its rows of audit. $1 text, an object (see audit_write())
SELECT set_config('penstock.origin', $1, true)
