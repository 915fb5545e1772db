#include "api/handlers.h"

#include "api/api.h"
#include "api/etag.h"
#include "api/stream.h"
#include "api/wire.h"
#include "core/instant.h"
#include "core/loop.h"
#include "domain/order.h"
#include "ingest/last_seen.h"
#include "ingest/registry.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_MAX  100000 /* in one answer */
#define ITEM_BYTES  512	   /* more than any item of one node takes */
#define SMALL_ITEMS 32
#define WHOLE_ITEMS 256	  /* written at once; more leave in pieces */
#define STEP_ITEMS  16384 /* looked at before others have their turn */

/*
 * Series without any reading, as the warm tier said a moment ago. The hot
 * tier never has them, so that each question would go to PostgreSQL. Asked
 * only while the hot tier is trusted: a first reading is seen there at once,
 * whoever took it.
 */
#define EMPTY_SLOTS 4096 /* a power of two */
#define EMPTY_US    (10 * US_PER_SECOND)

static struct {
	int32_t series;
	int64_t until_us;
} empty[EMPTY_SLOTS];

static bool
is_empty(const struct api *api, int32_t series)
{
	size_t i = (uint32_t)series % EMPTY_SLOTS;

	return (empty[i].series == series &&
	    empty[i].until_us > api->clocks.monotonic_us() &&
	    last_seen_get(api->last_seen, series) == INSTANT_NONE);
}

static void
remember_empty(const struct api *api, int32_t series)
{
	size_t i = (uint32_t)series % EMPTY_SLOTS;

	empty[i].series = series;
	empty[i].until_us = api->clocks.monotonic_us() + EMPTY_US;
}

enum tier { TIER_NONE, TIER_HOT, TIER_WARM };

struct latest {
	struct request *r;
	const struct node_entry *node; /* NULL: of all */
	size_t n;
	const struct series_entry **series;
	int32_t *ids;
	struct reading *values;
	unsigned char *tier;
	/* Places in the above of what the hot tier did not have. */
	uint32_t *missing;
	size_t nmissing;
	bool refreshed, trusted; /* the hot tier's answer is one */
	/* What is done with each in turn, how far it is, and what then. */
	void (*one)(struct latest *, size_t);
	void (*then)(struct latest *);
	size_t at;
	struct etag etag;
	int64_t stale_us;
	bool comma; /* of the next piece */
};

static void on_turn(void *);

static void
go_on(struct latest *l)
{
	struct loop *loop = l->r->api->loop;
	size_t end;

	do {
		end = l->n - l->at < STEP_ITEMS ? l->n : l->at + STEP_ITEMS;
		while (l->at < end) {
			l->one(l, l->at);
			l->at++;
		}
		if (l->at == l->n) {
			l->then(l);
			return;
		}
	} while (loop == NULL || loop->ops->after(loop, 0, on_turn, l) == NULL);
	request_hold(l->r);
}

static void
on_turn(void *arg)
{
	struct latest *l = arg;
	struct request *r = l->r;

	if (!request_gone(r))
		go_on(l);
	request_release(r);
}

static void
in_steps(struct latest *l, void (*one)(struct latest *, size_t),
    void (*then)(struct latest *))
{
	l->one = one;
	l->then = then;
	l->at = 0;
	go_on(l);
}

static void
write_item(struct text *t, const struct latest *l, size_t i)
{
	static const char *const names[] = {"", "hot", "warm"};
	const struct series_entry *s = l->series[i];
	const struct reading *v = &l->values[i];

	json_object(t, NULL);
	json_string(t, "node", s->node->name.s);
	json_string(t, "metric", s->metric);
	json_string(t, "unit", s->canonical);
	if (l->tier[i] == TIER_NONE) {
		json_null(t, "value");
		json_null(t, "ts");
		json_null(t, "received_at");
		json_null(t, "quality");
		json_null(t, "source");
	} else {
		json_double(t, "value", v->value);
		json_instant(t, "ts", v->t_us);
		json_instant(t, "received_at", v->received_us);
		json_string(t, "quality", quality_name(v->quality));
		json_string(t, "source", names[l->tier[i]]);
	}
	json_object_end(t);
}

/* Of all that the answer is written from. */
static void
mix(struct latest *l, size_t i)
{
	const struct reading *v = &l->values[i];
	uint64_t bits;

	etag_mix(&l->etag, (uint64_t)(uint32_t)l->ids[i] << 32 | l->tier[i]);
	if (l->tier[i] == TIER_NONE)
		return;
	memcpy(&bits, &v->value, sizeof(bits));
	etag_mix(&l->etag, bits);
	etag_mix(&l->etag, (uint64_t)v->t_us);
	etag_mix(&l->etag, (uint64_t)v->received_us);
	etag_mix(&l->etag, (uint64_t)v->quality);
}

/* From where it is, up to about `full` bytes. True: that is all. */
static bool
write_items(struct latest *l, struct text *t, size_t full)
{
	if (l->at == 0) {
		json_object(t, NULL);
		if (l->node != NULL)
			json_string(t, "node", l->node->name.s);
		json_array(t, "items");
	}
	for (; l->at < l->n; l->at++) {
		if (t->len >= full)
			return (false);
		write_item(t, l, l->at);
	}
	json_array_end(t);
	if (l->stale_us == INSTANT_NONE)
		json_null(t, "stale_since");
	else
		json_instant(t, "stale_since", l->stale_us);
	json_object_end(t);
	return (true);
}

static void
pull(struct request *r)
{
	struct latest *l = r->state;
	char piece[STREAM_PIECE + 2 * ITEM_BYTES];
	struct text t;
	bool all;

	text_init_fixed(&t, piece, sizeof(piece));
	t.comma = l->comma;
	all = write_items(l, &t, STREAM_PIECE);
	l->comma = t.comma;
	stream_write(r, t.s, t.len);
	if (all || !text_ok(&t))
		stream_end(r, text_ok(&t));
}

static void
reply_whole(struct latest *l, const struct header *h, size_t nh)
{
	char small[ITEM_BYTES * (SMALL_ITEMS + 1)];
	struct text t;

	if (l->n <= SMALL_ITEMS)
		text_init_fixed(&t, small, sizeof(small));
	else
		text_init(&t, (size_t)ITEM_BYTES * (WHOLE_ITEMS + 1));
	(void)write_items(l, &t, SIZE_MAX);
	if (text_ok(&t))
		reply_with(l->r, 200, h, nh, t.s, t.len);
	else
		reply_text(l->r, 200, &t);
	text_done(&t);
}

static void
tagged(struct latest *l)
{
	const char *known = request_header(l->r, "If-None-Match");
	char tag[ETAG_TEXT];
	const struct header h[] = {
	    {"ETag", tag}, {"Cache-Control", "private, no-cache"}};
	const struct stream stream = {.status = 200,
	    .content_type = "application/json",
	    .headers = h,
	    .nheaders = 2,
	    .pull = pull};

	etag_text(&l->etag, tag);
	l->at = 0;
	if (known != NULL && etag_matches(known, tag))
		reply_with(l->r, 304, h, 2, NULL, 0);
	else if (l->n <= WHOLE_ITEMS)
		reply_whole(l, h, 2);
	else
		(void)stream_begin(l->r, &stream);
}

static void
answer(struct latest *l)
{
	const struct api *api = l->r->api;

	l->stale_us = api->hot.stale_since_us(api->hot.self);
	etag_init(&l->etag);
	etag_mix(&l->etag, (uint64_t)l->stale_us);
	in_steps(l, mix, tagged);
}

/* The row's reading, if it is one we asked for. Both sides rise by id. */
static bool
take_row(const struct rows *rows, int row, struct reading *ret)
{
	int64_t series, quality;

	if (!wire_integer(rows, row, 0, &series) ||
	    !wire_instant(rows, row, 1, &ret->t_us) ||
	    !wire_double(rows, row, 2, &ret->value) ||
	    !wire_integer(rows, row, 3, &quality) ||
	    !wire_instant(rows, row, 4, &ret->received_us))
		return (false);
	ret->series = (int32_t)series;
	ret->quality = (int16_t)quality;
	return (true);
}

static void
on_warm(struct request *r, const struct rows *rows)
{
	struct latest *l = r->state;
	struct reading *fill =
	    arena_alloc(&r->arena, (size_t)rows->n * sizeof(*fill));
	struct reading v;
	size_t at = 0, nfill = 0;

	for (int row = 0; row < rows->n; row++) {
		if (!take_row(rows, row, &v))
			continue;
		while (at < l->nmissing && l->ids[l->missing[at]] < v.series)
			at++;
		if (at == l->nmissing || l->ids[l->missing[at]] != v.series)
			continue;
		/* Another instance may have stored it. */
		(void)last_seen_advance(r->api->last_seen, v.series, v.t_us);
		l->values[l->missing[at]] = v;
		l->tier[l->missing[at]] = TIER_WARM;
		if (fill != NULL)
			fill[nfill++] = v;
	}
	for (size_t i = 0; i < l->nmissing; i++)
		if (l->tier[l->missing[i]] == TIER_NONE)
			remember_empty(r->api, l->ids[l->missing[i]]);
	if (nfill > 0)
		r->api->hot.fill(r->api->hot.self, fill, nfill);
	answer(l);
}

static void
ask_warm(struct latest *l)
{
	struct request *r = l->r;
	int32_t *ids = arena_alloc(&r->arena, l->nmissing * sizeof(*ids));
	struct param p = {NULL, 0, true};

	for (size_t i = 0; ids != NULL && i < l->nmissing; i++)
		ids[i] = l->ids[l->missing[i]];
	if (ids != NULL)
		p = wire_int4s(&r->arena, ids, l->nmissing);
	if (p.data == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "too many series");
		return;
	}
	request_ask(r,
	    &(struct query){
		.statement = ST_latest_by_series,
		.lane = LANE_FAST,
		.params = &p,
		.nparams = 1,
		.binary_result = true,
	    },
	    on_warm);
}

/* What the hot tier had, so that no worker here tells anything older. */
static void
take_hot(struct latest *l, size_t i)
{
	const struct api *api = l->r->api;

	if (l->tier[i] == TIER_HOT)
		(void)last_seen_advance(
		    api->last_seen, l->ids[i], l->values[i].t_us);
	else if (!l->trusted || !is_empty(api, l->ids[i]))
		l->missing[l->nmissing++] = (uint32_t)i;
}

static void
took_hot(struct latest *l)
{
	if (l->nmissing > 0)
		ask_warm(l);
	else
		answer(l);
}

static void
on_hot(void *arg, const struct reading *values, const bool *found, size_t n,
    const struct err_info *info)
{
	struct latest *l = arg;
	struct request *r = l->r;

	l->trusted = info->code == ERR_OK;
	for (size_t i = 0; l->trusted && i < n && i < l->n; i++)
		if (found[i]) {
			l->values[i] = values[i];
			l->tier[i] = TIER_HOT;
		}
	if (!request_gone(r))
		in_steps(l, take_hot, took_hot);
	request_release(r);
}

static void
ask_hot(struct latest *l)
{
	const struct api *api = l->r->api;
	struct err_info info = {.code = ERR_OK};

	if (l->n == 0) {
		answer(l);
		return;
	}
	if (api->hot.near != NULL &&
	    api->hot.near(api->hot.self, l->ids, l->n, l->values)) {
		memset(l->tier, TIER_HOT, l->n);
		answer(l);
		return;
	}
	request_hold(l->r);
	if (api->hot.latest(api->hot.self, l->ids, l->n, on_hot, l, &info) !=
	    ERR_OK)
		on_hot(l, NULL, NULL, 0, &info);
}

static bool
make_room(struct latest *l, size_t n)
{
	struct arena *a = &l->r->arena;

	l->series = arena_alloc(a, n * sizeof(*l->series));
	l->ids = arena_alloc(a, n * sizeof(*l->ids));
	l->values = arena_alloc(a, n * sizeof(*l->values));
	l->tier = arena_calloc(a, n, sizeof(*l->tier));
	l->missing = arena_alloc(a, n * sizeof(*l->missing));
	if (l->series != NULL && l->ids != NULL && l->values != NULL &&
	    l->tier != NULL && l->missing != NULL)
		return (true);
	reply_error(l->r, ERR_NO_MEMORY, NULL, "too many series");
	return (false);
}

static struct latest *
latest_new(struct request *r)
{
	struct latest *l = arena_calloc(&r->arena, 1, sizeof(*l));

	if (l == NULL) {
		reply_error(r, ERR_NO_MEMORY, NULL, "request too large");
		return (NULL);
	}
	l->r = r;
	r->state = l;
	return (l);
}

/* In the order of their numbers, as the rows of the warm tier come. */
static void
start(struct latest *l)
{
	const struct series_entry **was = l->series;
	struct reading *scratch, *r;
	bool rising = true;

	scratch = malloc((l->n + 1) * (sizeof(*scratch) + sizeof(*was)));
	if (scratch == NULL) {
		reply_error(l->r, ERR_NO_MEMORY, NULL, "too many series");
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		rising &= i == 0 || l->series[i - 1]->id < l->series[i]->id;
		l->values[i] = (struct reading){
		    .series = l->series[i]->id, .t_us = (int64_t)i};
	}
	was = memcpy(&scratch[l->n], was, l->n * sizeof(*was));
	r = rising ? l->values : order_readings(l->values, scratch, l->n);
	for (size_t i = 0; i < l->n; i++) {
		l->series[i] = was[r[i].t_us];
		l->ids[i] = r[i].series;
	}
	free(scratch);
	ask_hot(l);
}

static void find_node(struct latest *);

static void
refreshed(struct request *r)
{
	find_node(r->state);
}

static void
find_node(struct latest *l)
{
	struct request *r = l->r;
	const char *code = request_path(r, "code");
	const struct series_entry *s;
	size_t n = 0;

	l->node = registry_node(r->api->registry, code, strlen(code));
	if (l->node == NULL && l->refreshed)
		reply_error(
		    r, ERR_NOT_FOUND, NULL, "there is no node %s", code);
	else if (l->node == NULL) {
		l->refreshed = true;
		request_refresh(r, refreshed);
	} else {
		for (s = l->node->series; s != NULL; s = s->next_of_node)
			n++;
		if (!make_room(l, n))
			return;
		for (s = l->node->series; s != NULL; s = s->next_of_node)
			if (!s->retired)
				l->series[l->n++] = s;
		start(l);
	}
}

void
latest_node_get(struct request *r)
{
	struct latest *l = latest_new(r);

	if (l != NULL)
		find_node(l);
}

void
latest_get(struct request *r)
{
	const struct registry *reg = r->api->registry;
	const char *zone = request_query(r, "zone");
	const char *metric = request_query(r, "metric");
	struct latest *l = latest_new(r);
	const struct series_entry *s;
	struct registry_walk w;
	size_t n = 0;

	if (l == NULL)
		return;
	registry_walk(reg, &w, zone, metric);
	while (n <= SERIES_MAX && registry_walk_next(&w) != NULL)
		n++;
	if (n > SERIES_MAX) {
		reply_error(r, ERR_INVALID, NULL,
		    "more than %d series: ask by zone or metric", SERIES_MAX);
		return;
	}
	if (!make_room(l, n))
		return;
	registry_walk(reg, &w, zone, metric);
	while ((s = registry_walk_next(&w)) != NULL)
		l->series[l->n++] = s;
	start(l);
}
