#include "api/fake.h"

#include "api/request_steps.h"
#include "auth/token.h"
#include "auth/token_cache.h"
#include "core/instant.h"
#include "core/text.h"
#include "ingest/last_seen.h"
#include "ingest/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct fake fake;

enum kind {
	KIND_QUERY,
	KIND_LOOKUP,
	KIND_LOG,
	KIND_HOT,
	KIND_WORK,
	KIND_REFRESH
};

static struct pending {
	enum kind kind;
	const struct fake_rows *rows;
	query_cb *on_rows;
	known_cb *on_known;
	const struct reading *keys;
	append_cb *on_append;
	hot_cb *on_hot;
	void (*done)(void *);
	void *arg;
	int32_t series[16];
	size_t n;
} pending[FAKE_PENDING];
static size_t npending;

static struct pending *
push(enum kind kind, void *arg)
{
	assert(npending < FAKE_PENDING);
	pending[npending] = (struct pending){.kind = kind, .arg = arg};
	return (&pending[npending++]);
}

static const char *
get_cell(const struct rows *rows, int row, int column, int *ret_len)
{
	const struct fake_rows *f = rows->result;
	int i = row * f->columns + column;

	assert(row < f->n && column < f->columns);
	if (f->cells[i] == NULL) {
		*ret_len = 0;
		return (NULL);
	}
	*ret_len = f->lens != NULL ? f->lens[i] : (int)strlen(f->cells[i]);
	return (f->cells[i]);
}

static const struct fake_rows *
find_rows(enum statement s)
{
	const struct fake_rows *f = fake.rows;

	for (; f != NULL && (f->columns > 0 || f->error != ERR_OK); f++)
		if (f->statement == s)
			return (f);
	return (NULL);
}

static const struct fake_rows nothing = {.columns = 1};

static enum err
run_query(void *self, const struct query *q, query_cb *cb, void *arg,
    struct err_info *info)
{
	struct pending *p;
	size_t at = fake.nasked;

	(void)self;
	if (fake.query_refuses != ERR_OK)
		return (err_set(info, fake.query_refuses, NULL, "refused"));
	if (q->statement == ST_audit_refuse) {
		assert(fake.nrefused < 8);
		snprintf(fake.refused[fake.nrefused++], sizeof(fake.refused[0]),
		    "%.*s", q->params[0].len, q->params[0].data);
		p = push(KIND_QUERY, arg);
		p->on_rows = cb;
		p->rows = &nothing;
		return (ERR_OK);
	}
	assert(at < FAKE_PENDING && q->nparams <= FAKE_PARAMS);
	fake.asked[at].statement = q->statement;
	fake.asked[at].lane = q->lane;
	fake.asked[at].nparams = q->nparams;
	snprintf(fake.asked[at].origin, sizeof(fake.asked[at].origin), "%s",
	    q->origin != NULL ? q->origin : "");
	for (int i = 0; i < q->nparams; i++) {
		const struct param *from = &q->params[i];
		int len = from->len;

		if (from->data != NULL && len < 0)
			len = (int)strlen(from->data);
		fake.asked[at].lens[i] = from->data == NULL ? -1 : len;
		if (from->data == NULL)
			continue;
		assert((size_t)len < sizeof(fake.asked[at].params[i]));
		memcpy(fake.asked[at].params[i], from->data, (size_t)len);
		fake.asked[at].params[i][len] = '\0';
	}
	fake.nasked++;
	p = push(KIND_QUERY, arg);
	p->on_rows = cb;
	p->rows = find_rows(q->statement);
	return (ERR_OK);
}

static void
give_rows(const struct pending *p)
{
	struct err_info info = {.code = ERR_OK};
	struct rows rows = {.get = get_cell};

	if (p->rows == NULL)
		(void)err_set(&info, ERR_DATABASE, NULL, "no rows for this");
	else if (p->rows->error != ERR_OK)
		(void)err_set(&info, p->rows->error, NULL, "%s",
		    p->rows->detail != NULL ? p->rows->detail : "failed");
	else {
		rows.n = p->rows->n;
		rows.columns = p->rows->columns;
		rows.result = (void *)(uintptr_t)p->rows;
		p->on_rows(p->arg, &rows, &info);
		return;
	}
	p->on_rows(p->arg, NULL, &info);
}

static enum err
lookup_known(void *self, const struct reading *keys, size_t n, known_cb *cb,
    void *arg, struct err_info *info)
{
	struct pending *p;

	(void)self;
	if (fake.lookup_refuses != ERR_OK)
		return (err_set(info, fake.lookup_refuses, NULL, "refused"));
	assert(n > 0 && fake.nlooked_up + n <= 64);
	memcpy(fake.looked_up + fake.nlooked_up, keys, n * sizeof(*keys));
	fake.nlooked_up += n;
	p = push(KIND_LOOKUP, arg);
	p->on_known = cb;
	p->keys = keys;
	p->n = n;
	return (ERR_OK);
}

static void
give_known(const struct pending *p)
{
	struct err_info info = {.code = ERR_OK};
	double value[64] = {0};
	bool found[64] = {false};

	if (fake.lookup_fails != ERR_OK)
		(void)err_set(&info, fake.lookup_fails, NULL, "failed");
	for (size_t i = 0; i < p->n; i++)
		for (size_t j = 0; j < fake.nstored; j++)
			if (fake.stored[j].series == p->keys[i].series &&
			    fake.stored[j].t_us == p->keys[i].t_us) {
				found[i] = true;
				value[i] = fake.stored[j].value;
			}
	p->on_known(p->arg, found, value, p->n, &info);
}

static enum err
log_append(void *self, const struct reading *r, size_t n, append_cb *cb,
    void *arg, struct err_info *info)
{
	(void)self;
	if (fake.log_refuses != ERR_OK)
		return (err_set(info, fake.log_refuses, NULL, "full"));
	assert(fake.nlogged + n <= 64);
	memcpy(fake.logged + fake.nlogged, r, n * sizeof(*r));
	fake.nlogged += n;
	push(KIND_LOG, arg)->on_append = cb;
	return (ERR_OK);
}

static enum err
log_append_late(void *self, const struct reading *r, size_t n, append_cb *cb,
    void *arg, struct err_info *info)
{
	fake.nlate += n;
	return (log_append(self, r, n, cb, arg, info));
}

static enum err
hot_latest(void *self, const int32_t *series, size_t n, hot_cb *cb, void *arg,
    struct err_info *info)
{
	struct pending *p;

	(void)self;
	if (fake.hot_refuses != ERR_OK)
		return (err_set(info, fake.hot_refuses, NULL, "away"));
	assert(n <= 16);
	p = push(KIND_HOT, arg);
	p->on_hot = cb;
	p->n = n;
	memcpy(p->series, series, n * sizeof(*series));
	return (ERR_OK);
}

static void
give_hot(const struct pending *p)
{
	struct reading values[16] = {0};
	bool found[16] = {false};
	struct err_info info = {.code = ERR_OK};

	for (size_t i = 0; i < p->n; i++)
		for (size_t j = 0; j < fake.nhot; j++)
			if (fake.hot[j].series == p->series[i]) {
				values[i] = fake.hot[j];
				found[i] = true;
			}
	p->on_hot(p->arg, values, found, p->n, &info);
}

static void
hot_fill(void *self, const struct reading *r, size_t n)
{
	(void)self;
	assert(fake.nfilled + n <= 16);
	memcpy(fake.filled + fake.nfilled, r, n * sizeof(*r));
	fake.nfilled += n;
}

static int64_t
hot_stale(void *self)
{
	(void)self;
	return (fake.stale_since_us);
}

static enum err
offload_run(void *self, void (*work)(void *), void (*done)(void *), void *arg)
{
	(void)self;
	if (fake.offload_refuses != ERR_OK)
		return (fake.offload_refuses);
	work(arg);
	push(KIND_WORK, arg)->done = done;
	return (ERR_OK);
}

static enum err
refresh(void (*done)(void *), void *arg)
{
	fake.refreshes++;
	if (fake.on_refresh != NULL)
		fake.on_refresh();
	push(KIND_REFRESH, arg)->done = done;
	return (ERR_OK);
}

static bool
fresh(void)
{
	return (!fake.refresh_fails);
}

static void
give(const struct pending *p)
{
	struct err_info info = {.code = ERR_OK};

	switch (p->kind) {
	case KIND_QUERY:
		give_rows(p);
		break;
	case KIND_LOOKUP:
		give_known(p);
		break;
	case KIND_LOG:
		if (fake.log_fails != ERR_OK)
			(void)err_set(&info, fake.log_fails, NULL, "lost");
		p->on_append(p->arg, &info);
		break;
	case KIND_HOT:
		give_hot(p);
		break;
	case KIND_WORK:
	case KIND_REFRESH:
		p->done(p->arg);
		break;
	}
}

void
fake_step(void)
{
	struct pending p = pending[0];

	assert(npending > 0);
	memmove(pending, pending + 1, --npending * sizeof(*pending));
	give(&p);
}

void
fake_turn(void)
{
	while (npending > 0)
		fake_step();
}

size_t
fake_waiting(void)
{
	return (npending);
}

static int64_t
now_us(void)
{
	return (FAKE_NOW_US);
}

static int64_t
monotonic_us(void)
{
	return (1000000);
}

static size_t
dependencies(struct dependency *ret, size_t max)
{
	assert(fake.ndependencies <= max);
	memcpy(ret, fake.dependencies, fake.ndependencies * sizeof(*ret));
	return (fake.ndependencies);
}

static void
write_metrics(struct text *t)
{
	text_puts(t, "penstock_up 1\n");
}

static bool
is_draining(void)
{
	return (fake.draining);
}

void
fake_init(void)
{
	size_t size = last_seen_size(100);

	memset(&fake, 0, sizeof(fake));
	npending = 0;
	fake.stale_since_us = INSTANT_NONE;
	fake.last_seen_memory = calloc(1, size);
	assert(fake.last_seen_memory != NULL);
	fake.api = (struct api){
	    .query = {NULL, run_query},
	    .lookup = {NULL, lookup_known},
	    .log = {NULL, log_append},
	    .log_late = {NULL, log_append_late},
	    .hot = {.latest = hot_latest,
		.fill = hot_fill,
		.stale_since_us = hot_stale},
	    .offload = {NULL, offload_run},
	    .clocks = {now_us, monotonic_us},
	    .registry = registry_new(),
	    .last_seen = last_seen_init(fake.last_seen_memory, 100),
	    .tokens = token_cache_new(),
	    .registry_refresh = refresh,
	    .registry_fresh = fresh,
	    .dependencies = dependencies,
	    .metrics = write_metrics,
	    .draining = is_draining,
	    .trust = &fake.trust,
	    .revoked = revoked_new(),
	    .session_life_s = 43200,
	    .session_idle_s = 7200,
	    .login_tries = 5,
	    .batch_max = 5000,
	    .future_us = 5 * US_PER_MINUTE,
	    .oldest_us = 0,
	};
	last_seen_trust(fake.api.last_seen);
	revoked_loaded(fake.api.revoked, fake.api.clocks.monotonic_us());
	fake_keys("0123456789abcdef0123456789abcdef");
	fake.trust = (struct token_config){
	    &fake.keys, "penstock", "penstock-api", 900, NULL};
}

void
fake_done(void)
{
	fake_turn();
	registry_free(fake.api.registry);
	token_cache_free(fake.api.tokens);
	revoked_free(fake.api.revoked);
	keyring_done(&fake.keys);
	free(fake.last_seen_memory);
	request_spares_free();
}

static const char *
header(struct exchange *x, const char *name)
{
	struct fake_call *c = (struct fake_call *)x;

	for (size_t i = 0; i < c->nheaders; i++)
		if (strcasecmp(c->headers[i].name, name) == 0)
			return (c->headers[i].value);
	return (NULL);
}

static void
reply(struct exchange *x, int status, const struct header *h, size_t nh,
    const void *body, size_t len)
{
	struct fake_call *c = (struct fake_call *)x;

	c->answers++;
	assert(c->answers == 1 && nh <= FAKE_HEADERS);
	c->status = status;
	for (size_t i = 0; i < nh; i++) {
		c->got[i].name = strdup(h[i].name);
		c->got[i].value = strdup(h[i].value);
	}
	c->ngot = nh;
	c->body = malloc(len + 1);
	memcpy(c->body, len > 0 ? body : "", len);
	c->body[len] = '\0';
	c->body_len = len;
}

static void
begin(struct exchange *x, int status, const struct header *h, size_t nh,
    void (*pull)(struct exchange *))
{
	struct fake_call *c = (struct fake_call *)x;

	reply(x, status, h, nh, NULL, 0);
	c->pull = pull;
	c->hungry = true;
	c->streamed = true;
}

static void
more(struct exchange *x, const void *data, size_t len)
{
	struct fake_call *c = (struct fake_call *)x;
	char *grown = realloc(c->body, c->body_len + len + 1);

	assert(c->streamed && !c->ended && grown != NULL);
	c->body = grown;
	memcpy(c->body + c->body_len, data, len);
	c->body_len += len;
	c->body[c->body_len] = '\0';
	c->hungry = true;
}

static void
end(struct exchange *x, bool whole)
{
	struct fake_call *c = (struct fake_call *)x;

	assert(c->streamed && !c->ended);
	c->ended = true;
	c->cut = !whole;
}

static void
take(struct exchange *x, void (*on_body)(struct exchange *))
{
	assert(x->body_waits);
	((struct fake_call *)x)->on_body = on_body;
}

static const struct exchange_ops ops = {header, reply, begin, more, end, take};

void
call_init(
    struct fake_call *c, enum method method, const char *path, const char *body)
{
	static char target[512];
	char *query;

	assert(strlen(path) < sizeof(target));
	memset(c, 0, sizeof(*c));
	strncpy(target, path, sizeof(target) - 1);
	if ((query = strchr(target, '?')) != NULL)
		*query++ = '\0';
	c->x = (struct exchange){
	    .ops = &ops,
	    .method = method,
	    .path = target,
	    .query = query != NULL ? query : "",
	    .body = body != NULL ? body : "",
	    .body_len = body != NULL ? strlen(body) : 0,
	    .peer = "127.0.0.1",
	    .request_id = "req-1",
	};
	if (body != NULL)
		call_header(c, "Content-Type", "application/json");
}

void
call_header(struct fake_call *c, const char *name, const char *value)
{
	assert(c->nheaders < FAKE_HEADERS);
	c->headers[c->nheaders++] = (struct header){name, value};
}

void
call_run(struct fake_call *c)
{
	api_dispatch(&fake.api, &c->x);
	fake_turn();
	assert(c->answers == 1);
	while (c->streamed && !c->ended) {
		call_pull(c);
		fake_turn();
	}
}

void
call_pull(struct fake_call *c)
{
	assert(c->hungry && !c->ended);
	c->hungry = false;
	c->pull(&c->x);
}

void
call_leave(struct fake_call *c)
{
	c->x.on_gone(&c->x);
}

void
call_done(struct fake_call *c)
{
	for (size_t i = 0; i < c->ngot; i++) {
		free((void *)(uintptr_t)c->got[i].name);
		free((void *)(uintptr_t)c->got[i].value);
	}
	free(c->body);
	c->body = NULL;
	c->ngot = 0;
}

const char *
call_got(const struct fake_call *c, const char *name)
{
	for (size_t i = 0; i < c->ngot; i++)
		if (strcasecmp(c->got[i].name, name) == 0)
			return (c->got[i].value);
	return (NULL);
}

struct fake_call
ask(enum method m, const char *path, const char *body, enum role role)
{
	struct fake_call c;

	call_init(&c, m, path, body);
	if (role != ROLE_ANONYMOUS)
		call_header(&c, "Authorization", fake_bearer(role));
	call_run(&c);
	return (c);
}

bool
says(const struct fake_call *c, const char *text)
{
	return (strstr(c->body, text) != NULL);
}

bool
got_is(const struct fake_call *c, const char *name, const char *value)
{
	const char *got = call_got(c, name);

	return (got != NULL && strcmp(got, value) == 0);
}
