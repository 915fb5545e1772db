#include <jansson.h> /* before core/text.h */

#include "api/request_steps.h"

#include "api/content.h"
#include "api/field.h"
#include "core/percent.h"

#include <string.h>

#define BODY_MAX  ((size_t)65536)
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

static enum err
parse_json(struct request *r, const struct field *table, struct err_info *info)
{
	json_error_t e;
	json_t *body;

	body = r->x->body_len == 0 ? json_pack("{}")
				   : json_loadb(r->x->body, r->x->body_len,
					 JSON_REJECT_DUPLICATES, &e);
	if (body == NULL)
		return (err_set(info, ERR_BAD_JSON, NULL,
		    "line %d, column %d: %.120s", e.line, e.column, e.text));
	r->body = body;
	return (field_check(table, body, info));
}

static size_t
body_max(const struct route *route)
{
	return (
	    route != NULL && route->body_max != 0 ? route->body_max : BODY_MAX);
}

size_t
api_body_max(enum method method, const char *path)
{
	struct route_match m;

	route_find(method, path, &m);
	return (body_max(m.route));
}

bool
request_parse_body(struct request *r)
{
	const struct route *route = r->match.route;
	size_t max = body_max(route), len = r->x->body_len;
	struct err_info info = {.code = ERR_OK};

	if (len > max)
		(void)err_set(&info, ERR_TOO_LARGE, NULL,
		    "the body is over the limit of %zu bytes", max);
	else if (route->body == NULL && !route->body_own) {
		if (len == 0)
			return (true);
		(void)err_set(&info, ERR_BAD_REQUEST, NULL,
		    "this resource takes no body");
	} else if (len == 0 && !route->body_own)
		(void)parse_json(r, route->body, &info);
	else if (content_check(r, &info) == ERR_OK && !route->body_own)
		(void)parse_json(r, route->body, &info);
	if (info.code == ERR_OK)
		return (true);
	reply_problem(r, &info);
	return (false);
}

/* Nobody forgets the zones of operators: what does not say how it minds them
 * is not theirs to change. */
static bool
is_allowed(const struct route *route, enum role role)
{
	return ((route->roles & ALLOW(role)) != 0 &&
	    (role != ROLE_OPERATOR || route->method == METHOD_GET ||
		route->scope != SCOPE_UNSAID));
}

static void
reply_forbidden(struct request *r)
{
	struct err_info info = {.code = ERR_OK};

	(void)err_set(&info, ERR_FORBIDDEN, NULL, "role %s may not do this",
	    role_name(r->who.role));
	info.reason = REASON_SCOPE;
	reply_problem(r, &info);
}

static void
run(struct request *r)
{
	const struct route *route = r->match.route;

	if (!is_allowed(route, r->who.role))
		reply_forbidden(r);
	else if (request_parse_query(r) && request_parse_body(r))
		content_open(r, idempotency_begin);
}

static void
refuse(struct request *r)
{
	if (r->match.allowed == 0)
		reply_error(r, ERR_NOT_FOUND, NULL, "no such path");
	else if (r->method == METHOD_OPTIONS)
		reply_options(r);
	else
		reply_error(r, ERR_METHOD, NULL,
		    "%s is not a method of this "
		    "resource",
		    method_name(r->method));
}

void
api_dispatch(struct api *api, struct exchange *x)
{
	struct request *r = request_new(api, x);

	if (r == NULL) {
		exchange_reply(x, 503, NULL, 0, NULL, 0);
		return;
	}
	route_find(x->method, x->path, &r->match);
	if (r->match.route == NULL)
		refuse(r);
	else if (r->match.route->roles & ALLOW(ROLE_ANONYMOUS))
		run(r);
	else
		identify(r, run);
	request_release(r);
}
