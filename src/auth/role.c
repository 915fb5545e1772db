#include "auth/role.h"

#include <stddef.h>
#include <string.h>

static const char *const names[ROLE_COUNT] = {
    "anonymous", "device", "viewer", "operator", "engineer", "admin"};

const char *
role_name(enum role r)
{
	return (names[r]);
}

int
role_parse(const char *s)
{
	for (int r = ROLE_DEVICE; r < ROLE_COUNT; r++)
		if (strcmp(s, names[r]) == 0)
			return (r);
	return (-1);
}
