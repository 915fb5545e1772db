#include <jansson.h> /* before core/text.h */

#include "api/request_steps.h"

#include "api/audit.h"
#include "api/content.h"
#include "api/field.h"

#include <string.h>

#define BODY_MAX ((size_t)65536)

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
	if (request_parse_body(r)) {
		audit_begin(r);
		content_open(r, idempotency_begin);
	}
}

static bool
is_anonymous(const struct request *r)
{
	return ((r->match.route->roles & ALLOW(ROLE_ANONYMOUS)) != 0);
}

static void
run_again(struct request *r)
{
	if (!is_allowed(r->match.route, r->who.role))
		reply_forbidden(r);
	else
		run(r);
}

/* A body may take a minute: keys expire and sessions end meanwhile. */
static void
identify_again(struct request *r)
{
	r->who = (struct principal){.role = ROLE_ANONYMOUS};
	if (is_anonymous(r))
		run(r);
	else
		identify(r, run_again);
}

/* No body is taken of whoever may not send one. */
static void
admit(struct request *r)
{
	if (!is_allowed(r->match.route, r->who.role))
		reply_forbidden(r);
	else if (!limit_principal(r) || !request_parse_query(r))
		return;
	else if (r->x->body_waits)
		request_await_body(r, identify_again);
	else
		run(r);
}

static void
refuse(struct request *r)
{
	/* What the service as a whole takes (RFC 9110 section 9.3.7). */
	if (strcmp(r->x->path, "*") == 0)
		r->match.allowed = (1u << METHOD_COUNT) - 1;
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
	if (!limit_address(r))
		; /* answered */
	else if (r->match.route == NULL)
		refuse(r);
	else if (is_anonymous(r))
		admit(r);
	else
		identify(r, admit);
	request_release(r);
}
