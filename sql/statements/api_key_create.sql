-- $1 id, $2 name, $3 SHA-256 of the secret, $4 who -> created_at
INSERT INTO api_keys (id, name, secret_sha256, created_by)
VALUES ($1, $2, $3::bytea, $4)
RETURNING rfc3339(created_at) AS created_at
