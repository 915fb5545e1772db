#include "api/request_steps.h"

#include "api/field.h"
#include "core/percent.h"

#include <string.h>

#define QUERY_MAX 6144 /* bytes of one decoded value and its NUL */

static char *
decode(struct request *r, const char *s, size_t len)
{
	char *out = len < QUERY_MAX ? arena_alloc(&r->arena, len + 1) : NULL;

	return (out != NULL && percent_decode(s, len, true, out, len + 1)
		? out
		: NULL);
}

/* PostgreSQL would refuse it too, but with less to say. */
static bool
is_utf8(const char *s)
{
	size_t left = strlen(s), n = 1;

	for (; left > 0 && n > 0; s += n, left -= n)
		n = text_utf8(s, left);
	return (left == 0);
}

static bool
take_parameter(struct request *r, const char *s, size_t len)
{
	const struct field *f, *table = r->match.route->query;
	const char *eq = memchr(s, '=', len);
	size_t nlen = eq == NULL ? len : (size_t)(eq - s);
	char *name = decode(r, s, nlen);
	char *value = eq == NULL ? arena_strdup(&r->arena, "")
				 : decode(r, eq + 1, len - nlen - 1);
	struct err_info info = {.code = ERR_OK};

	if (name == NULL || value == NULL || !is_utf8(name) || !is_utf8(value))
		(void)err_set(&info, ERR_BAD_REQUEST, NULL,
		    "the query is not form-encoded UTF-8");
	else if ((f = field_find(table, name)) == NULL)
		(void)err_set(&info, ERR_INVALID, NULL,
		    "unknown query parameter \"%.60s\"", name);
	else if (r->query[f - table] != NULL)
		(void)err_set(&info, ERR_INVALID, NULL,
		    "query parameter \"%s\" is given twice", f->name);
	else if (field_check_text(f, value, &info) == ERR_OK) {
		r->query[f - table] = value;
		return (true);
	}
	reply_problem(r, &info);
	return (false);
}

static bool
check_required(struct request *r)
{
	const struct field *f = r->match.route->query;

	for (; f != NULL && f->name != NULL; f++)
		if (f->required && request_query(r, f->name) == NULL) {
			reply_error(r, ERR_INVALID, NULL,
			    "query parameter \"%s\" is missing", f->name);
			return (false);
		}
	return (true);
}

bool
request_parse_query(struct request *r)
{
	const struct field *table = r->match.route->query;
	const char *s = r->x->query;
	size_t n = 0, len;

	while (table != NULL && table[n].name != NULL)
		n++;
	if (n > 0 &&
	    (r->query = arena_calloc(&r->arena, n, sizeof(*r->query))) ==
		NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return (false);
	}
	for (; *s != '\0'; s += len + (s[len] == '&')) {
		len = strcspn(s, "&");
		if (len > 0 && !take_parameter(r, s, len))
			return (false);
	}
	return (check_required(r));
}
