/* Any query is refused with words, or leaves text within the table's bounds. */
#include "api/field.h"
#include "api/request_steps.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct field table[] = {
    {"node", FIELD_STRING, false, 1, 63, NULL, NULL, ""},
    {"limit", FIELD_INTEGER, false, 1, 1000, NULL, NULL, ""},
    {"at", FIELD_INSTANT, false, 0, 0, NULL, NULL, ""},
    {"agg", FIELD_STRING, false, 0, 0, "avg|min", NULL, ""},
    {.name = NULL},
};

static const struct route route = {.query = table};
static unsigned refused;

void
reply_problem(struct request *r, const struct err_info *info)
{
	(void)r;
	refused++;
	if (info->code == ERR_OK || info->detail[0] == '\0')
		abort();
}

void
reply_error(
    struct request *r, enum err code, const char *pointer, const char *fmt, ...)
{
	(void)r;
	(void)code;
	(void)pointer;
	(void)fmt;
	refused++;
}

const char *
request_query(struct request *r, const char *name)
{
	(void)r;
	(void)name;
	return (NULL);
}

static void
check_value(size_t i, const char *s)
{
	size_t len = strlen(s), n;

	if (i == 0 && (len < 1 || len > 63 * 4))
		abort();
	if (i == 3 && strcmp(s, "avg") != 0 && strcmp(s, "min") != 0)
		abort();
	for (; len > 0; s += n, len -= n)
		if ((n = text_utf8(s, len)) == 0 || (unsigned char)*s < ' ')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *s = malloc(len + 1);
	struct exchange x = {.query = s};
	struct request r = {.x = &x};
	bool good;

	memcpy(s, data, len);
	s[len] = '\0';
	r.match.route = &route;
	arena_init(&r.arena, 1 << 20);
	refused = 0;
	good = request_parse_query(&r);
	if (good != (refused == 0) || refused > 1)
		abort();
	for (size_t i = 0; good && table[i].name != NULL; i++)
		if (r.query[i] != NULL)
			check_value(i, r.query[i]);
	arena_done(&r.arena);
	free(s);
	return (0);
}
