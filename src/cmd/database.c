#include "cmd/database.h"

#include "cmd/tool.h"

#include <libpq-fe.h>

#include <stdlib.h>
#include <string.h>

static char *
find(const char *option)
{
	const char *env = getenv("PENSTOCK_DATABASE_URL");
	const char *file = getenv("PENSTOCK_DATABASE_URL_FILE");
	char buf[2048];

	if (option != NULL)
		return (strdup(option));
	if (env != NULL)
		return (strdup(env));
	if (file != NULL)
		return (
		    tool_secret(file, buf, sizeof(buf)) ? strdup(buf) : NULL);
	tool_error("which database? Set PENSTOCK_DATABASE_URL or give "
		   "--database");
	return (NULL);
}

/* What libpq says of a string that it cannot read quotes it. */
char *
database_conninfo(const char *option)
{
	char *conninfo = find(option);
	PQconninfoOption *parsed;

	if (conninfo == NULL)
		return (NULL);
	if ((parsed = PQconninfoParse(conninfo, NULL)) == NULL) {
		tool_error("the database's connection string cannot be read "
			   "(a special character that is not quoted?)");
		free(conninfo);
		return (NULL);
	}
	PQconninfoFree(parsed);
	return (conninfo);
}
