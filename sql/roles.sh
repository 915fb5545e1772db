#!/bin/sh
# The roles beside the owner, with the passwords of the secrets. The image
# postgres runs this when it makes a database; it may be run again.
set -eu
for role in serve archive; do
	psql -qX -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
	    -v role="penstock_$role" -v password="$(cat "/run/secrets/$role")" <<-'EOF'
		SELECT format('CREATE ROLE %I LOGIN', :'role')
		WHERE to_regrole(:'role') IS NULL \gexec
		ALTER ROLE :"role" PASSWORD :'password';
	EOF
done
