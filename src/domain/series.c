#include "domain/series.h"

#include <string.h>

static const char *const kinds[] = {[SERIES_INSTANT] = "instant",
    [SERIES_TOTAL] = "total",
    [SERIES_STATUS] = "status",
    NULL};
static const char *const directions[] = {[DIRECTION_NONE] = "none",
    [DIRECTION_HIGH] = "high",
    [DIRECTION_LOW] = "low",
    NULL};
static const char *const severities[] = {[SEVERITY_INFO] = "info",
    [SEVERITY_WARNING] = "warning",
    [SEVERITY_CRITICAL] = "critical",
    NULL};

static int
find(const char *const *names, const char *name)
{
	int i;

	for (i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return (i);
	return (-1);
}

const char *
series_kind_name(enum series_kind k)
{
	return (kinds[k]);
}

const char *
direction_name(enum direction d)
{
	return (directions[d]);
}

const char *
severity_name(enum severity s)
{
	return (severities[s]);
}

int
series_kind_parse(const char *s)
{
	return (find(kinds, s));
}

int
direction_parse(const char *s)
{
	return (find(directions, s));
}

int
severity_parse(const char *s)
{
	return (find(severities, s));
}
