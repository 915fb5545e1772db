#include "api/handlers.h"

#include "api/api.h"
#include "api/etag.h"
#include "api/wire.h"
#include "core/instant.h"
#include "domain/reading.h"
#include "ingest/last_seen.h"
#include "ingest/registry.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_MAX  100000 /* in one answer */
#define ITEM_BYTES  512	   /* more than any item of one node takes */
#define SMALL_ITEMS 32
#define REPLY_CAP   ((size_t)64 << 20)

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
	bool refreshed;
};

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
make_tag(const struct latest *l, int64_t stale_us, char ret[static ETAG_TEXT])
{
	struct etag e;
	uint64_t bits;

	etag_init(&e);
	etag_mix(&e, (uint64_t)stale_us);
	for (size_t i = 0; i < l->n; i++) {
		const struct reading *v = &l->values[i];

		etag_mix(&e, (uint64_t)(uint32_t)l->ids[i] << 32 | l->tier[i]);
		if (l->tier[i] == TIER_NONE)
			continue;
		memcpy(&bits, &v->value, sizeof(bits));
		etag_mix(&e, bits);
		etag_mix(&e, (uint64_t)v->t_us);
		etag_mix(&e, (uint64_t)v->received_us);
		etag_mix(&e, (uint64_t)v->quality);
	}
	etag_text(&e, ret);
}

static void
answer(struct latest *l)
{
	const struct api *api = l->r->api;
	const char *known = request_header(l->r, "If-None-Match");
	int64_t stale = api->hot.stale_since_us(api->hot.self);
	char small[ITEM_BYTES * (SMALL_ITEMS + 1)], tag[ETAG_TEXT];
	const struct header h[] = {
	    {"ETag", tag}, {"Cache-Control", "private, no-cache"}};
	struct text t;

	make_tag(l, stale, tag);
	if (known != NULL && etag_matches(known, tag)) {
		reply_with(l->r, 304, h, 2, NULL, 0);
		return;
	}
	if (l->n <= SMALL_ITEMS)
		text_init_fixed(&t, small, sizeof(small));
	else
		text_init(&t, REPLY_CAP);
	json_object(&t, NULL);
	if (l->node != NULL)
		json_string(&t, "node", l->node->name.s);
	json_array(&t, "items");
	for (size_t i = 0; i < l->n; i++)
		write_item(&t, l, i);
	json_array_end(&t);
	if (stale == INSTANT_NONE)
		json_null(&t, "stale_since");
	else
		json_instant(&t, "stale_since", stale);
	json_object_end(&t);
	if (text_ok(&t))
		reply_with(l->r, 200, h, 2, t.s, t.len);
	else
		reply_text(l->r, 200, &t);
	text_done(&t);
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

static void
on_hot(void *arg, const struct reading *values, const bool *found, size_t n,
    const struct err_info *info)
{
	struct latest *l = arg;
	struct request *r = l->r;

	for (size_t i = 0; i < l->n; i++) {
		if (info->code == ERR_OK && i < n && found[i]) {
			/* So that no worker here tells anything older. */
			(void)last_seen_advance(
			    r->api->last_seen, l->ids[i], values[i].t_us);
			l->values[i] = values[i];
			l->tier[i] = TIER_HOT;
		} else if (info->code != ERR_OK || !is_empty(r->api, l->ids[i]))
			l->missing[l->nmissing++] = (uint32_t)i;
	}
	if (!request_gone(r)) {
		if (l->nmissing > 0)
			ask_warm(l);
		else
			answer(l);
	}
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

static int
by_id(const void *a, const void *b)
{
	const struct series_entry *const *x = a, *const *y = b;

	return (((*x)->id > (*y)->id) - ((*x)->id < (*y)->id));
}

/* In the order of their numbers, as the rows of the warm tier come. */
static void
start(struct latest *l)
{
	if (l->n > 1)
		qsort(l->series, l->n, sizeof(*l->series), by_id);
	for (size_t i = 0; i < l->n; i++)
		l->ids[i] = l->series[i]->id;
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
