-- The dossier of a plan, sealed if it is closed. $1 id
-- -> body text, its SHA-256 in hexadecimal
SELECT body, encode(sha256, 'hex') FROM dossier_take($1::bigint)
