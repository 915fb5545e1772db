/* Sums by bucket: from the roll-ups of all series in one statement where they
 * answer exactly, else from the readings themselves. */
#include "api/history.h"

#include "api/api.h"
#include "api/range_walk.h"
#include "api/wire.h"
#include "core/instant.h"
#include "ingest/registry.h"

#include <math.h>
#include <string.h>

#define CHUNK 16384
/* Added up for one answer: a few seconds of PostgreSQL's work. */
#define READINGS_MAX 20000000

enum column {
	COLUMN_SERIES,
	COLUMN_ORD,
	COLUMN_TS,
	COLUMN_STAMP,
	COLUMN_N,
	COLUMN_GOOD,
	COLUMN_SUM,
	COLUMN_MIN,
	COLUMN_MAX
};

struct cell {
	int64_t n, good;
	double sum, min, max; /* of the good ones */
};

struct buckets {
	struct history *h;
	struct edge *edges; /* one more than there are buckets */
	size_t n;	    /* buckets of one series */
	struct cell *cells; /* n of each series */
	size_t filled;
	int64_t rollup_s; /* 0: added up from readings */
	struct range_walk walk;
	unsigned tiers;
	size_t read;
	/* How far it is read, then how far it is written. */
	size_t at, i;
	bool begun, open;
};

static void
write_number(struct text *t, const struct buckets *b, unsigned which,
    const struct cell *c)
{
	const double values[] = {
	    (double)c->n, c->sum / (double)c->good, c->min, c->max, c->sum};
	const char *name = history_aggregates[which];

	if (!(b->h->aggregates & 1u << which))
		return;
	if (which == 0)
		json_int(t, name, c->n);
	else
		json_double(t, name, c->good > 0 ? values[which] : NAN);
}

static void
write_item(struct text *t, const struct buckets *b, const struct edge *e,
    const struct cell *c)
{
	json_object(t, NULL);
	json_string(t, "ts", e->stamp);
	write_number(t, b, 0, c);
	json_int(t, "good", c->good);
	for (unsigned i = 1; i < HISTORY_AGGREGATES; i++)
		write_number(t, b, i, c);
	json_object_end(t);
}

static void
write_span(struct text *t, const struct buckets *b)
{
	const char *tz = request_query(b->h->r, "tz");

	json_string(t, "bucket", b->h->width->word);
	json_string(t, "tz", tz != NULL ? tz : "UTC");
	json_instant(t, "from", b->edges[0].t_us);
	json_instant(t, "to", b->edges[b->n].t_us);
}

static void
write_origin(struct text *t, const struct buckets *b)
{
	json_string(t, "source", range_tiers_name(b->tiers));
	if (b->rollup_s > 0)
		json_int(t, "rollup_s", b->rollup_s);
	else
		json_null(t, "rollup_s");
}

/* What stands around the items differs: of one series all is in one object,
 * of many the span stands before the list. */
static void
write_head(struct text *t, const struct buckets *b)
{
	json_object(t, NULL);
	history_write_series(t, b->h->series[b->at]);
	if (!b->h->many)
		write_span(t, b);
	json_array(t, "items");
}

static void
write_tail(struct text *t, const struct buckets *b)
{
	json_array_end(t);
	if (!b->h->many) {
		json_null(t, "next");
		write_origin(t, b);
	}
	json_object_end(t);
}

/* False: the piece is full, there is more. */
static bool
write_series(struct buckets *b, struct text *t, size_t full)
{
	const struct cell *cells = &b->cells[b->at * b->n];

	if (!b->open) {
		write_head(t, b);
		b->open = true;
		b->i = 0;
	}
	for (; b->i < b->n; b->i++) {
		if (t->len >= full)
			return (false);
		if (cells[b->i].n > 0)
			write_item(t, b, &b->edges[b->i], &cells[b->i]);
	}
	write_tail(t, b);
	b->open = false;
	return (true);
}

static bool
write_buckets(void *job, struct text *t, size_t full)
{
	struct buckets *b = job;
	bool many = b->h->many;

	if (!b->begun && many) {
		json_object(t, NULL);
		write_span(t, b);
		write_origin(t, b);
		json_array(t, "series");
	}
	b->begun = true;
	for (; b->at < b->h->n; b->at++)
		if (t->len >= full || !write_series(b, t, full))
			return (false);
	if (many) {
		json_array_end(t);
		json_object_end(t);
	}
	return (true);
}

static void
answer(struct buckets *b)
{
	b->at = 0;
	history_answer(b->h, b->filled, write_buckets);
}

/* The bucket that t is in; t is in one of them. */
static size_t
find_bucket(const struct buckets *b, int64_t t_us)
{
	size_t lo = 0, hi = b->n, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (b->edges[mid].t_us <= t_us)
			lo = mid;
		else
			hi = mid;
	}
	return (lo);
}

static void
add_reading(struct buckets *b, struct cell *c, const struct reading *v)
{
	b->filled += c->n++ == 0;
	if (v->quality != QUALITY_GOOD)
		return;
	c->min = c->good > 0 ? fmin(c->min, v->value) : v->value;
	c->max = c->good > 0 ? fmax(c->max, v->value) : v->value;
	c->sum += v->value;
	c->good++;
}

static void
add_readings(struct buckets *b, const struct reading *v, size_t n)
{
	struct cell *cells = &b->cells[b->at * b->n];
	size_t i, at = n > 0 ? find_bucket(b, v[0].t_us) : 0;

	for (i = 0; i < n; i++) {
		while (v[i].t_us >= b->edges[at + 1].t_us)
			at++;
		if (v[i].received_us <= b->h->known_us)
			add_reading(b, &cells[at], &v[i]);
	}
	b->read += n;
}

static void on_part(
    struct request *, const struct reading *, size_t, const struct err_info *);

static void
read_next(struct buckets *b)
{
	if (b->at == b->h->n) {
		answer(b);
		return;
	}
	if (range_walk_done(&b->walk))
		b->walk = (struct range_walk){.r = b->h->r,
		    .series = b->h->series[b->at]->id,
		    .at_us = b->edges[0].t_us,
		    .to_us = b->edges[b->n].t_us,
		    .max = CHUNK,
		    .cb = on_part};
	range_walk_next(&b->walk);
}

static void
on_part(struct request *r, const struct reading *readings, size_t n,
    const struct err_info *info)
{
	struct history *h = r->state;
	struct buckets *b = h->job;

	if (info->code != ERR_OK) {
		reply_problem(r, info);
		return;
	}
	b->tiers |= b->walk.tiers;
	add_readings(b, readings, n);
	if (b->read > READINGS_MAX) {
		reply_error(r, ERR_INVALID, NULL,
		    "more than %d readings to add up: shorten the time",
		    READINGS_MAX);
		return;
	}
	if (range_walk_done(&b->walk))
		b->at++;
	read_next(b);
}

static bool
is_bound(const struct rows *rows, int row)
{
	int len;

	return (rows->get(rows, row, COLUMN_SERIES, &len) == NULL);
}

bool
history_take_edges(struct arena *a, const struct rows *rows,
    struct edge **ret_edges, size_t *ret_buckets)
{
	struct edge *edges;
	const char *stamp;
	int n = 0, len;

	while (n < rows->n && is_bound(rows, n))
		n++;
	edges = n < 2 ? NULL : arena_alloc(a, (size_t)n * sizeof(*edges));
	if (edges == NULL)
		return (false);
	for (int row = 0; row < n; row++) {
		stamp = rows->get(rows, row, COLUMN_STAMP, &len);
		if (stamp == NULL ||
		    !wire_instant(rows, row, COLUMN_TS, &edges[row].t_us))
			return (false);
		stamp = arena_strndup(a, stamp, (size_t)len);
		if ((edges[row].stamp = stamp) == NULL)
			return (false);
	}
	*ret_edges = edges;
	*ret_buckets = (size_t)n - 1;
	return (true);
}

static bool
take_bounds(struct buckets *b, const struct rows *rows)
{
	struct arena *a = &b->h->r->arena;

	if (!history_take_edges(a, rows, &b->edges, &b->n))
		return (false);
	b->cells = arena_calloc(a, b->n * (b->h->n + 1), sizeof(*b->cells));
	if (!wire_integer(rows, 0, COLUMN_N, &b->rollup_s))
		b->rollup_s = 0;
	return (b->cells != NULL);
}

/* From the one of the row before on: rows of one series follow each other. */
static bool
find_series(const struct history *h, int64_t id, size_t *at)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->series[*at]->id == id)
			return (true);
		*at = (*at + 1) % h->n;
	}
	return (false);
}

static bool
take_sum(struct buckets *b, const struct rows *rows, int row, size_t *series)
{
	int64_t id, ord;
	struct cell *c;

	if (!wire_integer(rows, row, COLUMN_SERIES, &id) ||
	    !wire_integer(rows, row, COLUMN_ORD, &ord) || ord < 1 ||
	    (size_t)ord > b->n || !find_series(b->h, id, series))
		return (false);
	c = &b->cells[*series * b->n + (size_t)ord - 1];
	if (!wire_integer(rows, row, COLUMN_N, &c->n) ||
	    !wire_integer(rows, row, COLUMN_GOOD, &c->good) ||
	    !wire_double(rows, row, COLUMN_SUM, &c->sum))
		return (false);
	b->filled++;
	return (c->good == 0 ||
	    (wire_double(rows, row, COLUMN_MIN, &c->min) &&
		wire_double(rows, row, COLUMN_MAX, &c->max)));
}

static void
on_rows(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct buckets *b = h->job;
	bool ok = take_bounds(b, rows);
	size_t series = 0;

	if (ok && (b->rollup_s == 0 || h->known_us != INT64_MAX)) {
		b->rollup_s = 0;
		read_next(b);
		return;
	}
	for (int row = (int)b->n + 1; ok && row < rows->n; row++)
		ok = take_sum(b, rows, row, &series);
	b->tiers = TIER_WARM;
	if (ok)
		answer(b);
	else
		reply_error(
		    r, ERR_INTERNAL, NULL, "the sums cannot be taken over");
}

/* Of the series' sums, or of the bounds alone. */
static void
ask(struct history *h, bool bounds,
    void (*cb)(struct request *, const struct rows *))
{
	const char *tz = request_query(h->r, "tz");
	int32_t ids[HISTORY_SERIES_MAX];
	char from[INSTANT_TEXT], to[INSTANT_TEXT];

	for (size_t i = 0; i < h->n; i++)
		ids[i] = h->series[i]->id;
	(void)instant_format(h->from_us, from);
	(void)instant_format(h->to_us, to);
	request_ask(h->r,
	    &(struct query){
		.statement = ST_readings_buckets,
		.lane = LANE_SLOW,
		.params = (struct param[]){wire_int4s(&h->r->arena, ids, h->n),
		    {from, -1, false}, {to, -1, false},
		    {h->width->step, -1, false}, {h->width->kind, -1, false},
		    {tz != NULL ? tz : "UTC", -1, false},
		    {bounds ? "t" : "f", -1, false}},
		.nparams = 7,
		.binary_result = true,
	    },
	    cb);
}

void
history_ask_edges(
    struct history *h, void (*cb)(struct request *, const struct rows *))
{
	ask(h, true, cb);
}

void
history_buckets(struct history *h)
{
	struct buckets *b = arena_calloc(&h->r->arena, 1, sizeof(*b));

	if (b == NULL) {
		reply_error(h->r, ERR_NO_MEMORY, NULL, "request too large");
		return;
	}
	h->job = b;
	b->h = h;
	ask(h, h->known_us != INT64_MAX, on_rows);
}
