/* Any bytes leave the JSON writer and the problem as valid JSON. */
#include <jansson.h> /* first: see core/text.h */

#include "core/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static json_t *
load(const struct text *t)
{
	json_t *j = json_loadb(
	    t->s, t->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	if (!text_ok(t) || j == NULL)
		abort();
	return (j);
}

static bool
is_utf8(const char *s, size_t len)
{
	size_t i = 0, n;

	while (i < len && (n = text_utf8(s + i, len - i)) > 0)
		i += n;
	return (i == len);
}

/* What is valid comes back byte for byte. */
static void
write_string(struct text *t, const char *s, size_t len)
{
	const json_t *back;
	json_t *j;

	json_array(t, NULL);
	json_stringn(t, NULL, s, len);
	json_array_end(t);
	j = load(t);
	back = json_array_get(j, 0);
	if (is_utf8(s, len) &&
	    (json_string_length(back) != len ||
		memcmp(json_string_value(back), s, len) != 0))
		abort();
	json_decref(j);
}

static void
write_problem(struct text *t, const char *s, size_t len)
{
	struct err_info info = {.code = ERR_INVALID};
	char id[40];

	(void)snprintf(info.detail, sizeof(info.detail), "%.*s", (int)len, s);
	(void)snprintf(info.pointer, sizeof(info.pointer), "%.*s", (int)len, s);
	(void)snprintf(id, sizeof(id), "%.*s", (int)len, s);
	problem_write(t, &info, id);
	json_decref(load(t));
}

static void
write_double(struct text *t, const char *s)
{
	double v;

	memcpy(&v, s, sizeof(v));
	json_double(t, NULL, v);
	if (isfinite(v) && strtod(t->s, NULL) != v)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *s = (const char *)data;
	struct text t;

	text_init(&t, 1 << 20);
	write_string(&t, s, len);
	text_reset(&t);
	write_problem(&t, s, len);
	text_reset(&t);
	if (len >= sizeof(double))
		write_double(&t, s);
	text_done(&t);
	return (0);
}
