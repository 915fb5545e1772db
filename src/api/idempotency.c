/* Idempotency-Key as in draft-ietf-httpapi-idempotency-key-header: the first
 * answer below 500 is kept for a day and given again, header Location
 * included. */
#include "api/handlers.h"
#include "api/request_steps.h"
#include "api/resources.h"

#include "auth/digest.h"
#include "core/log.h"
#include "core/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_MAX 128

#define ONE_KEY                                                    \
	"an API key is shown once and never kept: create another " \
	"one and revoke the first"

/* POSTs that are not kept: sending readings twice changes nothing; tokens and
 * keys are secrets; and a log-out is of the token that came with it, whatever
 * the one before it was told. */
static const struct exception {
	void (*handle)(struct request *);
	const struct resource *resource; /* NULL: any */
	const char *refusal; /* NULL: the header means nothing here */
} exceptions[] = {
    {readings_post, NULL, NULL},
    {token_post, NULL, NULL},
    {token_refresh, NULL, NULL},
    {resource_handle, &resource_logout, NULL},
    {resource_handle, &resource_logout_all, NULL},
    {keys_post, NULL, ONE_KEY},
    {keys_rotate, NULL, ONE_KEY},
    {webhooks_post, NULL,
	"a webhook's secret is shown once and never kept: make another one"},
    {gateway_secret_post, NULL,
	"a secret is shown once and never kept: make another one"},
};

struct claim {
	struct request *r;
	const char *key;
	/* The answer, until it is kept. */
	int status;
	const char *body;
	size_t len;
	struct header headers[4];
	size_t nheaders;
};

static void
handle(struct request *r)
{
	r->match.route->handle(r);
}

static void
send_now(struct claim *c)
{
	reply_send(c->r, c->status, c->headers, c->nheaders, c->body, c->len);
}

/* The work is done and the answer is true even if it could not be kept. */
static void
on_kept(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct claim *c = arg;
	struct request *r = c->r;

	(void)rows;
	if (info->code != ERR_OK)
		log_event(LOG_LEVEL_WARN, "idempotency_not_kept", "request_id",
		    LOG_STR, r->request_id, "why", LOG_STR, info->detail, NULL);
	send_now(c);
	request_release(r);
}

static bool
copy_answer(struct claim *c, int status, const char *body, size_t len)
{
	struct request *r = c->r;
	struct arena *a = &r->arena;

	c->status = status;
	c->len = len;
	if ((c->body = arena_strndup(a, len > 0 ? body : "", len)) == NULL)
		return (false);
	for (size_t i = 0; i < r->nreply_headers && c->nheaders < 4; i++) {
		struct header *h = &c->headers[c->nheaders];

		h->name = arena_strdup(a, r->reply_headers[i].name);
		h->value = arena_strdup(a, r->reply_headers[i].value);
		if (h->name == NULL || h->value == NULL)
			return (false);
		c->nheaders++;
	}
	return (true);
}

static const char *
location(const struct claim *c)
{
	for (size_t i = 0; i < c->nheaders; i++)
		if (strcasecmp(c->headers[i].name, "Location") == 0)
			return (c->headers[i].value);
	return (NULL);
}

static void
on_reply(struct request *r, int status, const char *body, size_t len)
{
	struct claim *c = r->claim;
	struct param p[5] = {{r->who.name, -1, false}, {c->key, -1, false}};
	struct query q = {.lane = LANE_SLOW, .params = p, .tag = r->request_id};
	struct err_info info = {.code = ERR_OK};
	char code[12];

	if (!copy_answer(c, status, body, len)) { /* as it is, not kept */
		reply_send(
		    r, status, r->reply_headers, r->nreply_headers, body, len);
		return;
	}
	(void)snprintf(code, sizeof(code), "%d", status);
	p[2] = (struct param){code, -1, false};
	p[3] = (struct param){c->body, (int)c->len, false};
	p[4] = (struct param){location(c), -1, false};
	q.statement = status < 500 ? ST_idempotency_keep : ST_idempotency_drop;
	q.nparams = status < 500 ? 5 : 2;
	if (r->api->query.run(r->api->query.self, &q, on_kept, c, &info) !=
	    ERR_OK)
		send_now(c);
	else
		request_hold(r);
}

static void
repeat(struct request *r, const struct rows *rows)
{
	int len, where_len, status_len;
	const char *status = rows->get(rows, 0, 2, &status_len);
	const char *body = rows->get(rows, 0, 3, &len);
	const char *where = rows->get(rows, 0, 4, &where_len);
	long code = strtol(status, NULL, 10);
	struct header h[3] = {{"Idempotency-Replayed", "true"}};
	size_t n = 1;

	if (where != NULL)
		h[n++] = (struct header){"Location", where};
	if (code >= 400)
		h[n++] = (struct header){"Content-Type", PROBLEM_TYPE};
	reply_with(r, (int)code, h, n, body, (size_t)len);
}

static bool
is_true(const struct rows *rows, int column)
{
	int len;

	return (rows->get(rows, 0, column, &len)[0] == 't');
}

static void
decide(struct request *r, const struct rows *rows)
{
	int len;

	if (rows->n == 1 && is_true(rows, 0)) {
		r->on_reply = on_reply;
		handle(r);
	} else if (rows->n == 1 && !is_true(rows, 1))
		reply_error(r, ERR_INVALID, NULL,
		    "this Idempotency-Key was used for another request");
	else if (rows->n == 1 && rows->get(rows, 0, 2, &len)[0] != '0')
		repeat(r, rows);
	else
		reply_error(r, ERR_CONFLICT, NULL,
		    "the first request with this key is not finished yet");
}

/* Also for a client that has left by now: the key is claimed, so its next
 * attempt must find an answer. */
static void
on_claim(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct claim *c = arg;
	struct request *r = c->r;

	if (info->code != ERR_OK)
		reply_problem(r, info);
	else
		decide(r, rows);
	request_release(r);
}

/* Keyed, since a body may hold a password: who sees the hash alone cannot
 * guess at it. What was kept under a key that signs no more is another
 * request's: refused, not done twice. */
static void
hash_request(const struct request *r, unsigned char ret[static DIGEST_LEN])
{
	const struct exchange *x = r->x;
	const char *method = method_name(r->method);
	const struct jws_key *key = &r->api->trust->keys->keys[0];
	/* The NULs keep the parts apart. */
	struct digest_part parts[] = {
	    {key->secret, key->secret_len},
	    {"", 1},
	    {method, strlen(method) + 1},
	    {x->path, strlen(x->path) + 1},
	    {x->query, strlen(x->query) + 1},
	    {x->body, x->body_len},
	};

	digest(parts, sizeof(parts) / sizeof(*parts), ret);
}

static bool
is_key(const char *s)
{
	size_t n = 0;

	while (s[n] > 0x20 && s[n] < 0x7f && n <= KEY_MAX)
		n++;
	return (n > 0 && n <= KEY_MAX && s[n] == '\0');
}

static void
claim(struct request *r, const char *key)
{
	unsigned char sha[DIGEST_LEN];
	struct claim *c = arena_calloc(&r->arena, 1, sizeof(*c));
	char *copy = arena_strdup(&r->arena, key);
	struct param p[3] = {{r->who.name, -1, false}, {copy, -1, false},
	    {(const char *)sha, DIGEST_LEN, true}};
	struct query q = {.statement = ST_idempotency_claim,
	    .lane = LANE_SLOW,
	    .params = p,
	    .nparams = 3,
	    .tag = r->request_id};
	struct err_info info = {.code = ERR_OK};

	if (c == NULL || copy == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	c->r = r;
	c->key = copy;
	r->claim = c;
	hash_request(r, sha);
	if (r->api->query.run(r->api->query.self, &q, on_claim, c, &info) !=
	    ERR_OK)
		reply_problem(r, &info);
	else
		request_hold(r);
}

static const struct exception *
exception_of(const struct route *route)
{
	const struct exception *e = exceptions;
	size_t left = sizeof(exceptions) / sizeof(*exceptions);

	for (; left > 0; e++, left--)
		if (e->handle == route->handle &&
		    (e->resource == NULL || e->resource == route->resource))
			return (e);
	return (NULL);
}

void
idempotency_begin(struct request *r)
{
	const struct exception *e;
	const char *key;

	if (r->method != METHOD_POST ||
	    (key = request_header(r, "Idempotency-Key")) == NULL)
		handle(r);
	else if ((e = exception_of(r->match.route)) != NULL) {
		if (e->refusal == NULL)
			handle(r);
		else
			reply_error(r, ERR_INVALID, NULL, "%s", e->refusal);
	} else if (!is_key(key))
		reply_error(r, ERR_BAD_REQUEST, NULL,
		    "Idempotency-Key has 1 to %d visible ASCII characters",
		    KEY_MAX);
	else
		claim(r, key);
}
