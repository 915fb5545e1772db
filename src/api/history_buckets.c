/* Sums by bucket: from the roll-ups of all series in one statement where they
 * answer exactly, else from the readings themselves. */
#include "api/history.h"

#include "api/api.h"
#include "api/range_walk.h"
#include "api/wire.h"
#include "core/instant.h"
#include "domain/packed_rollup.h"
#include "ingest/registry.h"

#include <math.h>
#include <string.h>

#define CHUNK 16384
/* Added up for one answer: a few seconds of PostgreSQL's work. */
#define READINGS_MAX 20000000
/* Roll-ups that are opened in one step, as readings_buckets.sql has it. */
#define ROLLUPS_MAX 75000

enum column {
	COLUMN_SERIES,
	COLUMN_ORD,
	COLUMN_TS,
	COLUMN_STAMP,
	COLUMN_N,
	COLUMN_GOOD,
	COLUMN_SUM,
	COLUMN_MIN,
	COLUMN_MAX,
	COLUMN_DATA
};

struct cell {
	int64_t n, good;
	double sum, min, max; /* of the good ones */
};

/* Buckets and series that are asked for at once. */
struct part {
	size_t first, past; /* edges */
	size_t at, n;	    /* series */
};

struct buckets {
	struct history *h;
	struct edge *edges; /* one more than there are buckets */
	size_t n;	    /* buckets of one series */
	struct cell *cells; /* n of each series */
	size_t filled;
	int64_t rollup_s; /* 0: added up from readings */
	struct part part;
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

static void
add_sums(struct buckets *b, struct cell *c, const struct rollup *u)
{
	b->filled += c->n == 0;
	c->n += u->count;
	if (u->good == 0)
		return;
	c->min = c->good > 0 ? fmin(c->min, u->min) : u->min;
	c->max = c->good > 0 ? fmax(c->max, u->max) : u->max;
	c->sum += u->sum;
	c->good += u->good;
}

static bool
take_sum(
    struct buckets *b, struct cell *cells, const struct rows *rows, int row)
{
	struct rollup u = {0};
	int64_t ord;

	if (!wire_integer(rows, row, COLUMN_ORD, &ord) || ord < 1 ||
	    (size_t)ord > b->part.past - b->part.first ||
	    !wire_integer(rows, row, COLUMN_N, &u.count) ||
	    !wire_integer(rows, row, COLUMN_GOOD, &u.good) ||
	    !wire_double(rows, row, COLUMN_SUM, &u.sum))
		return (false);
	if (u.good > 0 &&
	    (!wire_double(rows, row, COLUMN_MIN, &u.min) ||
		!wire_double(rows, row, COLUMN_MAX, &u.max)))
		return (false);
	add_sums(b, &cells[b->part.first + (size_t)ord - 1], &u);
	return (true);
}

/* A span's roll-ups, of which some may lie before or behind the part. */
static bool
take_packed(struct buckets *b, struct cell *cells, const char *data, size_t len)
{
	struct rollup u[PACKED_ROLLUP_MAX];
	size_t n = packed_rollup_count(data, len), i, at = b->part.first;

	if (packed_rollup_sums(data, len, u) != ERR_OK)
		return (false);
	for (i = 0; i < n; i++) {
		if (u[i].bucket_us < b->edges[at].t_us)
			continue;
		while (at < b->part.past &&
		    u[i].bucket_us >= b->edges[at + 1].t_us)
			at++;
		if (at == b->part.past)
			break;
		add_sums(b, &cells[at], &u[i]);
	}
	return (true);
}

static bool
take_row(struct buckets *b, const struct rows *rows, int row, size_t *series)
{
	const char *data = NULL;
	struct cell *cells;
	int64_t id;
	int len = 0;

	if (!wire_integer(rows, row, COLUMN_SERIES, &id) ||
	    !find_series(b->h, id, series))
		return (false);
	cells = &b->cells[*series * b->n];
	if (rows->get(rows, row, COLUMN_ORD, &len) == NULL)
		data = rows->get(rows, row, COLUMN_DATA, &len);
	return (data != NULL ? take_packed(b, cells, data, (size_t)len)
			     : take_sum(b, cells, rows, row));
}

static bool
take_rows(struct buckets *b, const struct rows *rows)
{
	size_t series = 0;
	bool ok = true;

	for (int row = 0; ok && row < rows->n; row++)
		if (!is_bound(rows, row))
			ok = take_row(b, rows, row, &series);
	b->tiers = TIER_WARM;
	if (!ok)
		reply_error(b->h->r, ERR_INTERNAL, NULL,
		    "the sums cannot be taken over");
	return (ok);
}

/* How many roll-ups of a series are packed in spans from one edge on. */
static size_t
packed_most(const struct buckets *b, size_t first, size_t past)
{
	int32_t width_s = (int32_t)b->rollup_s;

	return (
	    (size_t)((packed_rollup_span(width_s, b->edges[past].t_us - 1, 1) -
			 packed_rollup_span(width_s, b->edges[first].t_us, 0)) /
		(b->rollup_s * US_PER_SECOND)));
}

/* All buckets of some series or, if one has too many, some of its buckets. */
static bool
next_part(struct buckets *b)
{
	struct part *p = &b->part;

	p->first = p->past == b->n ? 0 : p->past;
	p->at += p->past == b->n ? p->n : 0;
	p->past = b->n;
	while (p->past > p->first + 1 &&
	    packed_most(b, p->first, p->past) > ROLLUPS_MAX)
		p->past = p->first + (p->past - p->first + 1) / 2;
	p->n = b->h->n - p->at;
	if (p->first > 0 || p->past < b->n)
		p->n = 1;
	else if (p->n > ROLLUPS_MAX / packed_most(b, 0, b->n))
		p->n = ROLLUPS_MAX / packed_most(b, 0, b->n);
	return (p->n > 0 && p->at < b->h->n);
}

static void ask_part(struct buckets *);

static void
on_part_rows(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct buckets *b = h->job;

	if (!take_rows(b, rows))
		return;
	if (next_part(b))
		ask_part(b);
	else
		answer(b);
}

static void
on_rows(struct request *r, const struct rows *rows)
{
	struct history *h = r->state;
	struct buckets *b = h->job;
	int64_t many = 0;

	if (!take_bounds(b, rows)) {
		reply_error(r, ERR_INTERNAL, NULL,
		    "the buckets' bounds cannot be taken over");
	} else if (b->rollup_s == 0 || h->known_us != INT64_MAX) {
		b->rollup_s = 0;
		read_next(b);
	} else if (wire_integer(rows, 0, COLUMN_GOOD, &many) && many > 0) {
		b->part = (struct part){.past = b->n};
		if (next_part(b))
			ask_part(b);
	} else {
		b->part = (struct part){.past = b->n, .n = h->n};
		if (take_rows(b, rows))
			answer(b);
	}
}

/* What is asked for: width_s NULL: to be found. */
struct question {
	size_t at, n; /* series */
	int64_t from_us, to_us;
	const char *width_s;
	bool bounds; /* alone */
};

static void
ask(struct history *h, const struct question *q,
    void (*cb)(struct request *, const struct rows *))
{
	const char *tz = request_query(h->r, "tz");
	int32_t ids[HISTORY_SERIES_MAX];
	char from[INSTANT_TEXT], to[INSTANT_TEXT];

	for (size_t i = 0; i < q->n; i++)
		ids[i] = h->series[q->at + i]->id;
	(void)instant_format(q->from_us, from);
	(void)instant_format(q->to_us, to);
	request_ask(h->r,
	    &(struct query){
		.statement = ST_readings_buckets,
		.lane = LANE_SLOW,
		.params = (struct param[]){wire_int4s(&h->r->arena, ids, q->n),
		    {from, -1, false}, {to, -1, false},
		    {h->width->step, -1, false}, {h->width->kind, -1, false},
		    {tz != NULL ? tz : "UTC", -1, false},
		    {q->bounds ? "t" : "f", -1, false},
		    {q->width_s, -1, false}},
		.nparams = 8,
		.binary_result = true,
	    },
	    cb);
}

static void
ask_part(struct buckets *b)
{
	const struct part *p = &b->part;

	ask(b->h,
	    &(struct question){.at = p->at,
		.n = p->n,
		.from_us = b->edges[p->first].t_us,
		.to_us = b->edges[p->past].t_us,
		.width_s = b->rollup_s == 300 ? "300"
		    : b->rollup_s == 3600     ? "3600"
					      : "86400"},
	    on_part_rows);
}

static void
ask_all(struct history *h, bool bounds,
    void (*cb)(struct request *, const struct rows *))
{
	ask(h,
	    &(struct question){.n = h->n,
		.from_us = h->from_us,
		.to_us = h->to_us,
		.bounds = bounds},
	    cb);
}

void
history_ask_edges(
    struct history *h, void (*cb)(struct request *, const struct rows *))
{
	ask_all(h, true, cb);
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
	ask_all(h, h->known_us != INT64_MAX, on_rows);
}
