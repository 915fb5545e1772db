#include <jansson.h>

#include "api/resource.h"

#include <stdlib.h>
#include <string.h>

enum column { COLUMN_BODY, COLUMN_ETAG, COLUMN_LOCATION };

static const char *
column_text(const struct rows *rows, enum column c, int *ret_len)
{
	*ret_len = 0;
	return ((int)c < rows->columns ? rows->get(rows, 0, (int)c, ret_len)
				       : NULL);
}

static void
answer_missing(struct request *r, const struct resource *res)
{
	const char *first = r->match.params[0].value;
	bool two = r->match.nparams > 1;

	reply_error(r, ERR_NOT_FOUND, NULL, "there is no %s %s%s%s", res->what,
	    r->match.nparams > 0 ? first : "", two ? "/" : "",
	    two ? r->match.params[1].value : "");
}

void
resource_answer(struct request *r, const struct rows *rows)
{
	static const struct {
		enum column column;
		const char *name;
	} known[] = {{COLUMN_ETAG, "ETag"}, {COLUMN_LOCATION, "Location"}};
	const struct resource *res = r->match.route->resource;
	struct header headers[2];
	const char *value;
	size_t n = 0, i;
	int len;

	if (rows->n == 0) {
		answer_missing(r, res);
		return;
	}
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		value = column_text(rows, known[i].column, &len);
		if (value == NULL)
			continue;
		headers[n].name = known[i].name;
		headers[n++].value = value;
	}
	value = column_text(rows, COLUMN_BODY, &len);
	reply_with(r, res->ok_status, headers, n, value, (size_t)len);
}

/* A number that PostgreSQL's bigint holds, and no sign. */
static bool
is_id(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return (n > 0 && n <= 18 && s[n] == '\0');
}

/* The tag of what was read gzip'd names the same state. */
static const char *
if_match(struct request *r)
{
	static const char coded[] = "-gzip\"";
	const char *s = request_header(r, "If-Match");
	size_t len = s == NULL ? 0 : strlen(s), n = sizeof(coded) - 1;

	if (len <= n || strcmp(s + len - n, coded) != 0)
		return (s);
	return (arena_printf(&r->arena, "%.*s\"", (int)(len - n), s));
}

/* Text of one parameter; NULL is SQL NULL. */
static const char *
source_text(struct request *r, const struct source *s)
{
	const char *v;

	switch (s->kind) {
	case SOURCE_PATH:
	case SOURCE_PATH_ID:
		return (request_path(r, s->name));
	case SOURCE_QUERY:
		return (request_query(r, s->name));
	case SOURCE_LIMIT:
		v = request_query(r, "limit");
		return (v != NULL ? v : RESOURCE_LIMIT_DEFAULT);
	case SOURCE_PRINCIPAL:
		return (r->who.name);
	case SOURCE_SESSION:
		return (
		    arena_printf(&r->arena, "%lld", (long long)r->who.session));
	case SOURCE_IF_MATCH:
		return (if_match(r));
	case SOURCE_CONSTANT:
		return (s->name);
	case SOURCE_BODY:
	case SOURCE_END:
		break;
	}
	return (NULL);
}

/* The body again as text: what was checked is what is sent. */
static const char *
body_text(struct request *r, bool *ret_ok)
{
	char *s, *copy;

	*ret_ok = true;
	if (r->body == NULL)
		return (NULL);
	s = json_dumps(r->body, JSON_COMPACT);
	copy = s == NULL ? NULL : arena_strdup(&r->arena, s);
	free(s);
	*ret_ok = copy != NULL;
	return (copy);
}

void
resource_ask(
    struct request *r, void (*answer)(struct request *, const struct rows *))
{
	const struct resource *res = r->match.route->resource;
	struct param params[RESOURCE_PARAMS] = {0};
	struct query q = {.statement = res->statement,
	    .lane = LANE_SLOW,
	    .params = params,
	    .tag = r->request_id};
	const struct source *s;
	bool ok = true;

	for (s = res->params; s->kind != SOURCE_END; s++) {
		if (s->kind == SOURCE_PATH_ID &&
		    !is_id(request_path(r, s->name))) {
			answer_missing(r, res);
			return;
		}
		params[q.nparams].len = -1;
		params[q.nparams++].data = s->kind == SOURCE_BODY
		    ? body_text(r, &ok)
		    : source_text(r, s);
		if (!ok) {
			reply_error(r, ERR_NO_MEMORY, NULL,
			    "the body does not fit into this request's memory");
			return;
		}
	}
	request_ask(r, &q, answer);
}

void
resource_handle(struct request *r)
{
	resource_ask(r, resource_answer);
}
