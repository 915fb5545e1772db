#include "mape/monitor.h"

#include "core/instant.h"
#include "domain/order.h"
#include "domain/rollup.h"

#include <string.h>

#define OPEN_S 300

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL,
	    "the cycle's arena cannot hold the batch"));
}

static size_t
count_groups(const struct reading *r, size_t n)
{
	size_t groups = 0, at;

	for (at = 0; at < n; groups++)
		at = order_series_end(r, at, n);
	return (groups);
}

/* Copies a group's readings down to `out`, the first of each time only. */
static size_t
keep_first(struct reading *all, size_t out, size_t at, size_t end)
{
	size_t first = out;

	for (; at < end; at++) {
		if (out == first || all[out - 1].t_us != all[at].t_us)
			all[out++] = all[at];
	}
	return (out - first);
}

enum err
monitor_sort(struct arena *a, struct reading *in, size_t n, struct batch *ret,
    struct err_info *info)
{
	struct batch b = {0};
	struct reading *other, *r;
	size_t at, end, out = 0;

	*ret = b;
	if (n == 0)
		return (ERR_OK);
	if ((other = arena_alloc(a, n * sizeof(*other))) == NULL)
		return (no_memory(info));
	r = order_readings(in, other, n);
	b.groups = arena_calloc(a, count_groups(r, n), sizeof(*b.groups));
	if (b.groups == NULL)
		return (no_memory(info));
	for (at = 0; at < n; at = end) {
		end = order_series_end(r, at, n);
		b.groups[b.ngroups].series = r[at].series;
		b.groups[b.ngroups].at = out;
		b.groups[b.ngroups].n = keep_first(r, out, at, end);
		out += b.groups[b.ngroups++].n;
	}
	b.readings = r;
	b.n = out;
	b.duplicates = n - out;
	*ret = b;
	return (ERR_OK);
}

/* How many of the group's first readings are not surely new. */
static size_t
doubtful(
    const struct batch *b, const struct group *g, const struct series_state *s)
{
	const struct reading *r = &b->readings[g->at];
	size_t n;

	if (s->last_us == INSTANT_NONE)
		return (g->n);
	for (n = 0; n < g->n && r[n].t_us <= s->last_us; n++)
		;
	return (n);
}

/* Closes the gaps that the known readings leave; empty groups go. */
static void
drop_known(struct batch *b, struct series_state **states, const size_t *doubts,
    const bool *known)
{
	size_t i, j, out = 0, groups = 0;
	struct group g;

	for (i = 0; i < b->ngroups; i++) {
		g = b->groups[i];
		b->groups[groups] = (struct group){g.series, out, 0};
		for (j = 0; j < g.n; j++) {
			if (j < doubts[i] && *known++)
				continue;
			if (b->readings[g.at + j].t_us <= states[i]->last_us)
				b->late++;
			b->readings[out++] = b->readings[g.at + j];
		}
		b->groups[groups].n = out - b->groups[groups].at;
		if (b->groups[groups].n > 0)
			states[groups++] = states[i];
	}
	b->duplicates += b->n - out;
	b->n = out;
	b->ngroups = groups;
}

enum err
monitor_known(struct arena *a, const struct telemetry_port *telemetry,
    struct batch *b, struct series_state **states, struct err_info *info)
{
	struct reading *q;
	size_t *doubts, i, n = 0;
	bool *known;
	enum err err;

	if ((doubts = arena_alloc(a, b->ngroups * sizeof(*doubts))) == NULL)
		return (no_memory(info));
	for (i = 0; i < b->ngroups; i++)
		n += doubts[i] = doubtful(b, &b->groups[i], states[i]);
	if (n == 0)
		return (ERR_OK);
	q = arena_alloc(a, n * sizeof(*q));
	known = arena_calloc(a, n, sizeof(*known));
	if (q == NULL || known == NULL)
		return (no_memory(info));
	for (i = 0, n = 0; i < b->ngroups; n += doubts[i++])
		memcpy(&q[n], &b->readings[b->groups[i].at],
		    doubts[i] * sizeof(*q));
	if ((err = telemetry->known(telemetry->self, q, n, known, info)) !=
	    ERR_OK)
		return (err);
	drop_known(b, states, doubts, known);
	return (ERR_OK);
}

static struct segment *
cut_days(struct segment *out, const struct reading *r, size_t n)
{
	int64_t end;
	size_t i, from;

	for (i = 0; i < n; out++) {
		end = instant_floor(r[i].t_us, US_PER_DAY) + US_PER_DAY;
		for (from = i; i < n && r[i].t_us < end; i++)
			;
		*out = (struct segment){r[from].series, &r[from], i - from};
	}
	return (out);
}

/* What begins after all that was merged before has no roll-up yet. */
static void
mark_fresh(bool *fresh, const struct rollup *u, size_t n, int64_t last_us)
{
	size_t i;

	for (i = 0; i < n; i++)
		fresh[i] = last_us != INSTANT_NONE && u[i].bucket_us > last_us;
}

/*
 * How many of the group's last readings are kept as the open 5 minutes of the
 * series, so that a cycle writes one roll-up of it instead of three: all of
 * the newest bucket, if nothing newer was merged, and more is to be expected
 * of it, as the reading before came within its width.
 */
static size_t
count_open(const struct reading *r, size_t n, int64_t last_us)
{
	int64_t newest = r[n - 1].t_us, width = OPEN_S * US_PER_SECOND;
	int64_t bucket = instant_floor(newest, width), before;
	size_t open = 0;

	before = n > 1 ? r[n - 2].t_us : last_us;
	if (last_us == INSTANT_NONE || bucket < instant_floor(last_us, width) ||
	    newest - before >= width)
		return (0);
	while (open < n && r[n - 1 - open].t_us >= bucket)
		open++;
	return (open);
}

/* What monitor_build() fills; `at` and the like are where the next goes. */
struct build {
	struct segment *segments, *segment_at;
	struct rollup *rollups, *rollup_at, *open, *open_at;
	struct reading *latest;
	bool *fresh;
};

static bool
build_room(struct arena *a, const struct batch *b, struct build *o)
{
	size_t i, nrollups = 0, days = 0, d;
	const struct group *g;

	for (i = 0; i < b->ngroups; i++) {
		g = &b->groups[i];
		nrollups += rollup_count(&b->readings[g->at], g->n, &d);
		days += d;
	}
	o->rollup_at = o->rollups =
	    arena_alloc(a, nrollups * sizeof(*o->rollups));
	o->open_at = o->open = arena_alloc(a, b->ngroups * sizeof(*o->open));
	o->segment_at = o->segments =
	    arena_alloc(a, days * sizeof(*o->segments));
	o->latest = arena_alloc(a, b->ngroups * sizeof(*o->latest));
	o->fresh = arena_calloc(a, nrollups, sizeof(*o->fresh));
	return (o->rollups != NULL && o->open != NULL && o->segments != NULL &&
	    o->latest != NULL && o->fresh != NULL);
}

static void
build_rollups(
    struct build *o, const struct reading *r, size_t n, int64_t last_us)
{
	size_t open = count_open(r, n, last_us);
	struct rollup *from = o->rollup_at;

	if (open > 0)
		o->open_at =
		    rollup_width(o->open_at, r + n - open, open, OPEN_S);
	o->rollup_at = rollup_readings(from, r, n - open);
	mark_fresh(&o->fresh[from - o->rollups], from,
	    (size_t)(o->rollup_at - from), last_us);
}

enum err
monitor_build(struct arena *a, const struct batch *b,
    struct series_state **states, struct merge *ret, struct err_info *info)
{
	struct build o = {0};
	const struct group *g;
	const struct reading *r;
	size_t i;

	if (!build_room(a, b, &o))
		return (no_memory(info));
	for (i = 0; i < b->ngroups; i++) {
		g = &b->groups[i];
		r = &b->readings[g->at];
		o.segment_at = cut_days(o.segment_at, r, g->n);
		build_rollups(&o, r, g->n,
		    states != NULL ? states[i]->last_us : INSTANT_NONE);
		o.latest[i] = r[g->n - 1];
	}
	*ret = (struct merge){.segments = o.segments,
	    .nsegments = (size_t)(o.segment_at - o.segments),
	    .open = o.open,
	    .nopen = (size_t)(o.open_at - o.open),
	    .rollups = o.rollups,
	    .fresh = o.fresh,
	    .nrollups = (size_t)(o.rollup_at - o.rollups),
	    .latest = o.latest,
	    .nlatest = b->ngroups};
	return (ERR_OK);
}
