#include "mape/monitor.h"

#include "core/instant.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS	   (1u << DIGIT_BITS)

static enum err
no_memory(struct err_info *info)
{
	return (err_set(info, ERR_NO_MEMORY, NULL,
	    "the cycle's arena cannot hold the batch"));
}

static unsigned
digit(const struct reading *r, int shift)
{
	return ((uint32_t)r->series >> shift & (DIGITS - 1));
}

/* One stable counting pass; false if all share the digit (nothing moved). */
static bool
radix_pass(const struct reading *from, struct reading *to, size_t n, int shift)
{
	size_t at[DIGITS] = {0}, i, sum = 0, count;

	for (i = 0; i < n; i++)
		at[digit(&from[i], shift)]++;
	if (at[digit(&from[0], shift)] == n)
		return (false);
	for (i = 0; i < DIGITS; i++) {
		count = at[i];
		at[i] = sum;
		sum += count;
	}
	for (i = 0; i < n; i++)
		to[at[digit(&from[i], shift)]++] = from[i];
	return (true);
}

/* Stable by series, least significant digit first; returns where it is. */
static struct reading *
sort_by_series(struct reading *a, struct reading *b, size_t n)
{
	struct reading *swap;
	int shift;

	for (shift = 0; shift < 32; shift += DIGIT_BITS) {
		if (radix_pass(a, b, n, shift)) {
			swap = a;
			a = b;
			b = swap;
		}
	}
	return (a);
}

/* End of the run that does not fall, from `at`. */
static size_t
run_end(const struct reading *r, size_t at, size_t n)
{
	for (at++; at < n && r[at - 1].t_us <= r[at].t_us; at++)
		;
	return (at);
}

/* Merges a[lo, mid) and a[mid, hi), stable; scratch holds the left half. */
static void
merge_runs(struct reading *a, struct reading *scratch, size_t lo, size_t mid,
    size_t hi)
{
	size_t i = 0, n = mid - lo, j = mid, out = lo;

	memcpy(scratch, &a[lo], n * sizeof(*a));
	while (i < n && j < hi)
		a[out++] = a[j].t_us < scratch[i].t_us ? a[j++] : scratch[i++];
	memcpy(&a[out], &scratch[i], (n - i) * sizeof(*a));
}

/* Natural merge sort: one look at readings that came in order. */
static void
sort_by_time(struct reading *a, struct reading *scratch, size_t n)
{
	size_t lo, mid, hi;

	while (run_end(a, 0, n) < n) {
		for (lo = 0; lo < n; lo = hi) {
			mid = run_end(a, lo, n);
			hi = mid == n ? n : run_end(a, mid, n);
			if (mid < hi)
				merge_runs(a, scratch, lo, mid, hi);
		}
	}
}

static size_t
group_end(const struct reading *r, size_t at, size_t n)
{
	int32_t series = r[at].series;

	while (at < n && r[at].series == series)
		at++;
	return (at);
}

static size_t
count_groups(const struct reading *r, size_t n)
{
	size_t groups = 0, at;

	for (at = 0; at < n; groups++)
		at = group_end(r, at, n);
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
	r = sort_by_series(in, other, n);
	other = r == in ? other : in;
	b.groups = arena_calloc(a, count_groups(r, n), sizeof(*b.groups));
	if (b.groups == NULL)
		return (no_memory(info));
	for (at = 0; at < n; at = end) {
		end = group_end(r, at, n);
		sort_by_time(&r[at], other, end - at);
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

static const int32_t widths_s[] = {300, 3600, 86400};
#define NWIDTHS (sizeof(widths_s) / sizeof(widths_s[0]))

static size_t
count_buckets(const struct batch *b, int64_t width_us)
{
	size_t i, j, n = 0;
	const struct reading *r;
	int64_t end;

	for (i = 0; i < b->ngroups; i++) {
		r = &b->readings[b->groups[i].at];
		for (j = 0, end = INSTANT_NONE; j < b->groups[i].n; j++) {
			if (r[j].t_us < end)
				continue;
			end = instant_floor(r[j].t_us, width_us) + width_us;
			n++;
		}
	}
	return (n);
}

static void
rollup_add(struct rollup *u, const struct reading *r)
{
	u->count++;
	u->last_us = r->t_us;
	u->last = r->value;
	if (r->quality != QUALITY_GOOD)
		return;
	u->good++;
	u->sum += r->value;
	u->sumsq += r->value * r->value;
	u->min = fmin(u->min, r->value);
	u->max = fmax(u->max, r->value);
}

static struct rollup *
roll_up(struct rollup *out, const struct reading *r, size_t n, int32_t width_s)
{
	int64_t width_us = width_s * US_PER_SECOND, end = INSTANT_NONE;
	size_t i;

	for (i = 0; i < n; i++) {
		if (r[i].t_us >= end) {
			*out++ = (struct rollup){.series = r[i].series,
			    .width_s = width_s,
			    .bucket_us = instant_floor(r[i].t_us, width_us),
			    .min = INFINITY,
			    .max = -INFINITY,
			    .first_us = r[i].t_us,
			    .first = r[i].value};
			end = out[-1].bucket_us + width_us;
		}
		rollup_add(&out[-1], &r[i]);
	}
	return (out);
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

enum err
monitor_build(struct arena *a, const struct batch *b, struct merge *ret,
    struct err_info *info)
{
	struct segment *segments, *next;
	struct rollup *rollups, *up;
	struct reading *latest;
	const struct group *g;
	size_t i, w, nrollups = 0, days;

	for (w = 0; w < NWIDTHS; w++)
		nrollups += days =
		    count_buckets(b, widths_s[w] * US_PER_SECOND);
	up = rollups = arena_alloc(a, nrollups * sizeof(*rollups));
	next = segments = arena_alloc(a, days * sizeof(*segments));
	latest = arena_alloc(a, b->ngroups * sizeof(*latest));
	if (rollups == NULL || segments == NULL || latest == NULL)
		return (no_memory(info));
	for (i = 0; i < b->ngroups; i++) {
		g = &b->groups[i];
		next = cut_days(next, &b->readings[g->at], g->n);
		for (w = 0; w < NWIDTHS; w++)
			up =
			    roll_up(up, &b->readings[g->at], g->n, widths_s[w]);
		latest[i] = b->readings[g->at + g->n - 1];
	}
	*ret = (struct merge){segments, (size_t)(next - segments), rollups,
	    nrollups, latest, b->ngroups};
	return (ERR_OK);
}
