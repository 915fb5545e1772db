#include "api/handlers.h"

#include "api/api.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "ingest/batch.h"

#define REPLY_CAP  ((size_t)8 << 20)   /* more than any answer takes */
#define STEP_BYTES ((size_t)256 << 10) /* decoded in one step, under 1 ms */

struct post {
	struct request *r;
	struct batch batch;
	bool refreshed; /* the registry, for names it did not know */
	bool late;	/* not all were newer than their series' last */
};

static void open_batch(struct post *);
static void decode_on(void *);

/* Lets others have the loop; `cb` (arg is the request) goes on. False: go on
 * at once. */
static bool
put_off(struct request *r, loop_timer_cb *cb)
{
	struct loop *loop = r->api->loop;

	if (loop == NULL || loop->ops->after(loop, 0, cb, r) == NULL)
		return (false);
	request_hold(r);
	return (true);
}

/* What is stored or was refused; counted even if the client left. */
static void
count(const struct batch *b)
{
	metric_count(COUNTER_READINGS_ACCEPTED, b->n);
	metric_count(COUNTER_READINGS_DUPLICATE, b->duplicates);
	metric_count(COUNTER_READINGS_REJECTED, b->rejected);
}

static void
finish(struct post *p)
{
	const struct batch *b = &p->batch;
	struct err_info info = {0};
	struct text t;
	char small[256];

	count(b);
	if (b->single && b->rejected > 0) {
		info.reason = reject_word(b->outcomes[0].reason);
		(void)err_set(&info, ERR_INVALID, NULL, "%s: %s", info.reason,
		    b->outcomes[0].detail);
		reply_problem(p->r, &info);
		return;
	}
	if (b->noutcomes == 0)
		text_init_fixed(&t, small, sizeof(small));
	else
		text_init(&t, REPLY_CAP);
	batch_write(b, &t);
	reply_text(p->r, 200, &t);
	text_done(&t);
}

/* Whatever the reason, it may or may not be stored: the sender tries again,
 * which changes nothing. */
static void
committed(void *arg, const struct err_info *info)
{
	struct post *p = arg;
	struct request *r = p->r;

	if (info->code == ERR_OK)
		finish(p);
	else if (err_status(info->code) == 503)
		reply_problem(r, info);
	else
		reply_error(
		    r, ERR_DATABASE, NULL, "not stored: %s", info->detail);
	request_release(r);
}

static void
append(struct post *p)
{
	struct request *r = p->r;
	struct batch *b = &p->batch;
	const struct log_port *log = p->late && r->api->log_late.append != NULL
	    ? &r->api->log_late
	    : &r->api->log;
	struct err_info info = {.code = ERR_OK};

	if (batch_settle(b, &info) != ERR_OK)
		reply_problem(r, &info);
	else if (b->n == 0)
		finish(p);
	else if (log->append(log->self, b->readings, b->n, committed, p,
		     &info) != ERR_OK)
		reply_problem(r, &info);
	else
		request_hold(r);
}

static void
looked_up(void *arg, const bool *found, const double *value, size_t n,
    const struct err_info *info)
{
	struct post *p = arg;
	struct request *r = p->r;
	size_t i;

	if (!request_gone(r)) {
		for (i = 0; info->code == ERR_OK && i < n; i++)
			if (found[i])
				batch_stored(&p->batch, i, value[i]);
		if (info->code == ERR_OK)
			append(p);
		else
			reply_problem(r, info);
	}
	request_release(r);
}

static void
look_up(struct post *p)
{
	struct request *r = p->r;
	const struct batch *b = &p->batch;
	const struct lookup_port *port = &r->api->lookup;
	struct reading *keys =
	    arena_alloc(&r->arena, b->nlookup * sizeof(*keys));
	struct err_info info = {.code = ERR_OK};
	size_t i;

	if (keys == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "the batch is too large");
		return;
	}
	for (i = 0; i < b->nlookup; i++)
		keys[i] = b->readings[b->lookup[i]];
	if (port->known(port->self, keys, b->nlookup, looked_up, p, &info) !=
	    ERR_OK)
		reply_problem(r, &info);
	else
		request_hold(r);
}

static void
split(struct post *p)
{
	batch_split(&p->batch, p->r->api->last_seen);
	p->late = p->batch.nlookup > 0;
	if (p->late)
		look_up(p);
	else
		append(p);
}

static void
refreshed(struct request *r)
{
	open_batch(r->state);
}

/* The end of the body. */
static void
decoded(struct post *p)
{
	if (p->batch.unknown == 0 || p->refreshed)
		split(p);
	else {
		p->refreshed = true;
		request_refresh(p->r, refreshed);
	}
}

static void
decode(struct post *p)
{
	struct request *r = p->r;
	struct err_info info = {.code = ERR_OK};
	bool more = true;

	while (more) {
		if (batch_decode(&p->batch, STEP_BYTES, &more, &info) !=
		    ERR_OK) {
			reply_problem(r, &info);
			return;
		}
		if (more && put_off(r, decode_on))
			return;
	}
	decoded(p);
}

static void
decode_on(void *arg)
{
	struct request *r = arg;

	if (!request_gone(r))
		decode(r->state);
	request_release(r);
}

static void
open_batch(struct post *p)
{
	struct request *r = p->r;
	const struct api *api = r->api;
	struct batch_input in = {
	    .form = (enum body_form)r->form,
	    .body = r->content,
	    .len = r->content_len,
	    .registry = api->registry,
	    .limits = {.now_us = api->clocks.now_us(),
		.future_us = api->future_us,
		.oldest_us = api->oldest_us,
		.archive = &api->range_cold,
		.scope = r->who.scope},
	    .max = api->batch_max,
	};
	struct err_info info = {.code = ERR_OK};

	if (batch_open(&p->batch, &in, &r->arena, &info) != ERR_OK)
		reply_problem(r, &info);
	else
		decode(p);
}

void
readings_post(struct request *r)
{
	struct post *p = arena_calloc(&r->arena, 1, sizeof(*p));

	if (p == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	p->r = r;
	r->state = p;
	open_batch(p);
}
