-- Turn to a gateway's next secret. $1 code
-- -> code text, secret_version int4
SELECT code, secret_version FROM gateway_secret_turn($1::text)
