#include "api/handlers.h"

#include "api/api.h"
#include "api/wire.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "ingest/batch.h"

#define REPLY_CAP  ((size_t)4 << 20)
#define STEP_BYTES ((size_t)256 << 10) /* decoded in one step, under 1 ms */

struct post {
	struct request *r;
	struct batch batch;
	bool refreshed; /* the registry, for names it did not know */
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
	struct err_info info = {.code = ERR_OK};

	if (batch_settle(b, &info) != ERR_OK)
		reply_problem(r, &info);
	else if (b->n == 0)
		finish(p);
	else if (r->api->log.append(r->api->log.self, b->readings, b->n,
		     committed, p, &info) != ERR_OK)
		reply_problem(r, &info);
	else
		request_hold(r);
}

static void
looked_up(struct request *r, const struct rows *rows)
{
	struct post *p = r->state;
	int64_t ord;
	double value;

	for (int i = 0; i < rows->n; i++)
		if (wire_integer(rows, i, 0, &ord) && ord > 0 &&
		    (uint64_t)ord <= p->batch.nlookup &&
		    wire_double(rows, i, 1, &value))
			batch_stored(&p->batch, (size_t)ord - 1, value);
	append(p);
}

static void
look_up(struct post *p)
{
	struct request *r = p->r;
	const struct batch *b = &p->batch;
	int32_t *series = arena_alloc(&r->arena, b->nlookup * sizeof(*series));
	int64_t *ts = arena_alloc(&r->arena, b->nlookup * sizeof(*ts));
	struct param params[2] = {{NULL, 0, false}, {NULL, 0, false}};

	if (series != NULL && ts != NULL) {
		for (size_t i = 0; i < b->nlookup; i++) {
			series[i] = b->readings[b->lookup[i]].series;
			ts[i] = b->readings[b->lookup[i]].t_us;
		}
		params[0] = wire_int4s(&r->arena, series, b->nlookup);
		params[1] = wire_instants(&r->arena, ts, b->nlookup);
	}
	if (params[0].data == NULL || params[1].data == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "the batch is too large");
		return;
	}
	request_ask(r,
	    &(struct query){
		.statement = ST_reading_lookup,
		.lane = LANE_LOG,
		.params = params,
		.nparams = 2,
		.binary_result = true,
	    },
	    looked_up);
}

static void
split(struct post *p)
{
	batch_split(&p->batch, p->r->api->last_seen);
	if (p->batch.nlookup > 0)
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
		.archive = &api->range_cold},
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
