-- Gives a claimed key back: nothing was done. $1 principal, $2 key.
DELETE FROM idempotency WHERE principal = $1 AND key = $2 AND status = 0
