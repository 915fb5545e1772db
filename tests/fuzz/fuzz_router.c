/* Any path finds its route or none, and the same one when it comes encoded. */
#include "api/route.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 300

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

const struct route routes[] = {
    {.method = METHOD_GET, .pattern = "/health"},
    {.method = METHOD_GET, .pattern = "/api/v1/nodes"},
    {.method = METHOD_POST, .pattern = "/api/v1/nodes"},
    {.method = METHOD_GET, .pattern = "/api/v1/nodes/{code}"},
    {.method = METHOD_GET, .pattern = "/api/v1/nodes/{code}/latest"},
    {.method = METHOD_GET, .pattern = "/api/v1/series/{node}/{metric}"},
    {.method = METHOD_PUT, .pattern = "/api/v1/series/{node}/thresholds"},
};
const size_t nroutes = sizeof(routes) / sizeof(*routes);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
check(const struct route_match *m, enum method method)
{
	if (m->route == NULL)
		return;
	require(m->allowed & 1u << method);
	require(m->nparams <= ROUTE_PARAMS);
	for (size_t i = 0; i < m->nparams; i++) {
		const char *v = m->params[i].value;

		require(*v != '\0' && strchr(v, '/') == NULL);
		require(strcmp(v, ".") != 0 && strcmp(v, "..") != 0);
		for (; *v != '\0'; v++)
			require(*v >= ' ' && *v < 0x7f);
	}
}

static void
encode(const char *path, char *to)
{
	for (; *path != '\0'; path++) {
		if (*path == '/')
			*to++ = '/';
		else
			to += snprintf(to, 4, "%%%02x", (unsigned char)*path);
	}
	*to = '\0';
}

static void
compare(const struct route_match *a, const struct route_match *b)
{
	require(a->route == b->route && a->allowed == b->allowed);
	if (a->route == NULL)
		return;
	require(a->nparams == b->nparams);
	for (size_t i = 0; i < a->nparams; i++)
		require(strcmp(a->params[i].value, b->params[i].value) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[LONGEST + 1], coded[3 * LONGEST + 1];
	struct route_match plain, again;
	enum method method;

	if (len < 1 || len > LONGEST)
		return (0);
	method = data[0] % METHOD_COUNT;
	memcpy(path, data + 1, len - 1);
	path[len - 1] = '\0';
	route_find(method, path, &plain);
	check(&plain, method);
	if (strchr(path, '%') != NULL)
		return (0);
	encode(path, coded);
	route_find(method, coded, &again);
	compare(&plain, &again);
	return (0);
}
