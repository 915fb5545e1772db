#include <jansson.h> /* before core/text.h */

#include "api/request_steps.h"

#include "api/api.h"
#include "api/field.h"
#include "auth/role.h"
#include "core/log.h"
#include "core/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CAP  ((size_t)16 << 20)
#define ARENA_KEEP ((size_t)64 << 10)
#define SPARES	   64

/* Finished requests with their first arena block, for the next ones. One loop
 * per process, so no lock. */
static struct request *spares[SPARES];
static unsigned nspares;

static void
on_gone(struct exchange *x)
{
	struct request *r = x->user;

	r->x = NULL;
	request_count(r, 0);
}

static void
on_body_gone(struct exchange *x)
{
	struct request *r = x->user;

	on_gone(x);
	request_release(r);
}

static void
on_body(struct exchange *x)
{
	struct request *r = x->user;

	x->on_gone = on_gone;
	r->started_us = r->api->clocks.monotonic_us();
	r->on_body(r);
	request_release(r);
}

void
request_await_body(struct request *r, void (*next)(struct request *))
{
	struct exchange *x = r->x;

	r->on_body = next;
	x->on_gone = on_body_gone;
	request_hold(r);
	x->ops->take(x, on_body);
}

struct request *
request_new(struct api *api, struct exchange *x)
{
	struct request *r;
	struct arena arena;

	if (nspares > 0) {
		r = spares[--nspares];
		arena = r->arena;
	} else {
		if ((r = malloc(sizeof(*r))) == NULL)
			return (NULL);
		arena_init(&arena, ARENA_CAP);
	}
	*r = (struct request){.x = x,
	    .api = api,
	    .arena = arena,
	    .method = x->method,
	    .started_us = x->started_us,
	    .holds = 1};
	memcpy(r->request_id, x->request_id, sizeof(r->request_id));
	x->user = r;
	x->on_gone = on_gone;
	return (r);
}

void
request_hold(struct request *r)
{
	r->holds++;
}

void
request_release(struct request *r)
{
	assert(r->holds > 0);
	if (r->holds == 1 && !r->answered && !request_gone(r))
		reply_error(r, ERR_INTERNAL, NULL, "no answer was made");
	if (--r->holds > 0)
		return;
	json_decref(r->body);
	free(r->content_owned);
	arena_reset(&r->arena);
	if (nspares < SPARES && r->arena.used <= ARENA_KEEP) {
		spares[nspares++] = r;
		return;
	}
	arena_done(&r->arena);
	free(r);
}

void
request_spares_free(void)
{
	while (nspares > 0) {
		arena_done(&spares[--nspares]->arena);
		free(spares[nspares]);
	}
}

bool
request_gone(const struct request *r)
{
	return (r->x == NULL && r->on_reply == NULL);
}

const char *
request_header(const struct request *r, const char *name)
{
	return (r->x == NULL ? NULL : exchange_header(r->x, name));
}

const char *
request_path(struct request *r, const char *name)
{
	for (size_t i = 0; i < r->match.nparams; i++)
		if (strcmp(r->match.params[i].name, name) == 0)
			return (r->match.params[i].value);
	return (NULL);
}

const char *
request_query(struct request *r, const char *name)
{
	const struct field *f = field_find(r->match.route->query, name);

	if (f == NULL || r->query == NULL)
		return (NULL);
	return (r->query[f - r->match.route->query]);
}

struct question {
	struct request *r;
	void (*cb)(struct request *, const struct rows *);
};

static void
on_rows(void *arg, const struct rows *rows, const struct err_info *info)
{
	struct question *q = arg;
	struct request *r = q->r;

	if (!request_gone(r)) {
		if (info->code != ERR_OK)
			reply_problem(r, info);
		else
			q->cb(r, rows);
	}
	request_release(r);
}

void
request_ask(struct request *r, const struct query *query,
    void (*cb)(struct request *, const struct rows *))
{
	struct question *q = arena_alloc(&r->arena, sizeof(*q));
	struct query tagged = *query;
	struct err_info info = {0};

	if (q == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	*q = (struct question){r, cb};
	if (tagged.tag == NULL)
		tagged.tag = r->request_id;
	tagged.origin = r->origin;
	if (r->api->query.run(r->api->query.self, &tagged, on_rows, q, &info) !=
	    ERR_OK)
		reply_problem(r, &info);
	else
		request_hold(r);
}

struct refresh {
	struct request *r;
	void (*next)(struct request *);
};

static void
on_refresh(void *arg)
{
	struct refresh *f = arg;
	struct request *r = f->r;
	const struct api *api = r->api;

	if (!request_gone(r)) {
		if (api->registry_fresh == NULL || api->registry_fresh())
			f->next(r);
		else
			reply_error(r, ERR_DATABASE, NULL,
			    "new names cannot be looked up now");
	}
	request_release(r);
}

void
request_refresh(struct request *r, void (*next)(struct request *))
{
	struct refresh *f = arena_alloc(&r->arena, sizeof(*f));
	enum err e = ERR_NO_MEMORY;

	if (f != NULL) {
		*f = (struct refresh){r, next};
		e = r->api->registry_refresh(on_refresh, f);
	}
	if (e != ERR_OK)
		reply_error(r, e, NULL, "new names cannot be looked up now");
	else
		request_hold(r);
}

/* What somebody changed is told; reads and readings only on demand. */
static enum log_level
level_of(const struct request *r, int status)
{
	const struct route *route = r->match.route;

	if (status >= 500 && !r->shed)
		return (LOG_LEVEL_WARN);
	if (route != NULL && route->method != METHOD_GET && !route->body_own &&
	    status >= 200 && status < 300)
		return (LOG_LEVEL_INFO);
	return (LOG_LEVEL_DEBUG);
}

/* Once per request: when it is answered, or with status 0 when the client
 * left before. */
void
request_count(struct request *r, int status)
{
	const struct route_match *m = &r->match;
	const struct route *route = m->route;
	int64_t took = r->api->clocks.monotonic_us() - r->started_us;

	metric_route(
	    route != NULL ? (size_t)(route - routes) : nroutes, status, took);
	log_event(level_of(r, status), "request", "request_id", LOG_STR,
	    r->request_id, "method", LOG_STR, method_name(r->method), "route",
	    LOG_STR, route != NULL ? route->name : "none", "subject", LOG_STR,
	    route != NULL && m->nparams > 0 ? m->params[0].value : "", "who",
	    LOG_STR,
	    r->who.name[0] != '\0' ? r->who.name : role_name(r->who.role),
	    "status", LOG_INT, (int64_t)status, "took_us", LOG_INT, took, NULL);
}
