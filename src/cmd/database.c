#include "cmd/database.h"

#include "cmd/tool.h"

#include <libpq-fe.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_set(const char *name, const char **ret_value)
{
	const char *value = getenv(name);

	if (value == NULL || *value == '\0')
		return (false);
	*ret_value = value;
	return (true);
}

/* NULL: neither is set, or the file cannot be read, which was told. */
static char *
from_env(const char *name, bool *ret_set)
{
	char file[80], buf[2048];
	const char *value;

	(void)snprintf(file, sizeof(file), "%s_FILE", name);
	if ((*ret_set = is_set(name, &value)))
		return (strdup(value));
	if (!(*ret_set = is_set(file, &value)))
		return (NULL);
	return (tool_secret(value, buf, sizeof(buf)) ? strdup(buf) : NULL);
}

static char *
find(const char *option, const char *own)
{
	bool set = false;
	char *found = NULL;

	if (option != NULL)
		return (strdup(option));
	if (own != NULL)
		found = from_env(own, &set);
	if (!set)
		found = from_env("PENSTOCK_DATABASE_URL", &set);
	if (!set)
		tool_error("which database? Set %s or give --database",
		    own != NULL ? own : "PENSTOCK_DATABASE_URL");
	return (found);
}

/* What libpq says of a string that it cannot read quotes it. */
char *
database_conninfo(const char *option, const char *own)
{
	char *conninfo = find(option, own);
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
