#include "store/warm_leaks.h"

#include "core/instant.h"
#include "core/text.h"
#include "domain/packed_rollup.h"
#include "domain/rollup.h"
#include "store/warm_conn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_S 3600
/* Areas at once that are up to date; one that is not is taken alone. */
#define AREAS_MOST 200
#define HOURS_FEW  48
/* Looks take at most this part of the time, and are no closer than that. */
#define LOOK_PART  200
#define LOOK_LEAST (9 * US_PER_SECOND)
/* Onsets lie before what is judged. */
#define CLOCK_BEFORE (16 * US_PER_DAY)

/* One series of one area. */
struct leak_slot {
	int32_t series;
	size_t area;
	double sign;
	double *sum, *good; /* of each hour */
};

static enum err
no_memory(struct err_info *info)
{
	return (
	    err_set(info, ERR_NO_MEMORY, NULL, "areas have too many hours"));
}

static enum err
odd(struct err_info *info)
{
	return (
	    err_set(info, ERR_INTERNAL, NULL, "an area cannot be understood"));
}

static bool
ended(struct arena *arena, const PGresult *r, int row, int column,
    struct leak_area *a)
{
	struct wire_view v;
	int64_t *t;
	size_t i;

	if (!wire_view(&v, PQgetvalue(r, row, column),
		(size_t)PQgetlength(r, row, column), OID_TIMESTAMPTZ, 8) ||
	    (t = arena_alloc(arena, v.n * sizeof(*t))) == NULL)
		return (false);
	for (i = 0; i < v.n; i++)
		if (wire_get_time(wire_at(&v, i), &t[a->nended]))
			a->nended++;
	a->ended = t;
	return (true);
}

static bool
area_of(struct arena *arena, const PGresult *r, int row, struct warm_leaks *l)
{
	struct leak_area *a = &l->areas[row];
	unsigned char *state;

	*a = (struct leak_area){
	    .lead = warm_get_i32(r, row, 0),
	    .zone =
		PQgetisnull(r, row, 1) ? NULL : warm_dup_text(arena, r, row, 1),
	    .meters = warm_dup_text(arena, r, row, 2),
	    .state_len = (size_t)PQgetlength(r, row, 9),
	    .from_us = warm_get_time(r, row, 7),
	    .n =
		(size_t)((warm_get_time(r, row, 8) - warm_get_time(r, row, 7)) /
		    US_PER_HOUR),
	    .open = {.since_us = warm_get_time(r, row, 10),
		.growth = !PQgetisnull(r, row, 11) && warm_get_bool(r, row, 11),
		.size = warm_get_f64(r, row, 12),
		.largest = warm_get_f64(r, row, 13),
		.fresh = warm_get_f64(r, row, 14),
		.volume = warm_get_f64(r, row, 15),
		.confidence = warm_get_f64(r, row, 16),
		.night = warm_get_f64(r, row, 17),
		.usual = warm_get_f64(r, row, 18),
		.band = warm_get_f64(r, row, 21)},
	    .dismissed = warm_get_bool(r, row, 20),
	};
	l->members[row] = warm_dup_text(arena, r, row, 5);
	l->signs[row] = warm_dup_text(arena, r, row, 6);
	if ((state = arena_alloc(arena, a->state_len)) == NULL ||
	    l->members[row] == NULL || l->signs[row] == NULL ||
	    a->meters == NULL)
		return (false);
	memcpy(state, PQgetvalue(r, row, 9), a->state_len);
	a->state = state;
	return (ended(arena, r, row, 19, a));
}

static bool
add_slots(struct arena *arena, const PGresult *r, int row, int column,
    struct warm_leaks *l)
{
	const size_t hours = l->areas[row].n;
	struct wire_view series, signs;
	size_t i;

	if (!wire_view(&series, PQgetvalue(r, row, column),
		(size_t)PQgetlength(r, row, column), OID_INT4, 4) ||
	    !wire_view(&signs, PQgetvalue(r, row, column + 1),
		(size_t)PQgetlength(r, row, column + 1), OID_FLOAT8, 8) ||
	    series.n != signs.n)
		return (false);
	for (i = 0; i < series.n; i++) {
		struct leak_slot *s = &l->slots[l->nslots++];

		*s = (struct leak_slot){
		    .series = wire_get_i32(wire_at(&series, i)),
		    .area = (size_t)row,
		    .sign = wire_get_f64(wire_at(&signs, i)),
		    .sum = arena_calloc(arena, hours, sizeof(double)),
		    .good = arena_calloc(arena, hours, sizeof(double)),
		};
		if (s->sum == NULL || s->good == NULL)
			return (false);
	}
	return (true);
}

static int
by_series(const void *x, const void *y)
{
	const struct leak_slot *a = x, *b = y;

	return ((a->series > b->series) - (a->series < b->series));
}

/* Few hours of many areas, or many of one. */
static enum err
read_areas(struct warm_leaks *l, struct arena *arena, const PGresult *r,
    struct err_info *info)
{
	const size_t rows = (size_t)PQntuples(r);
	size_t i, slots = 0;

	for (i = 0; i < rows; i++)
		slots += (size_t)PQgetlength(r, (int)i, 3) / 8;
	l->nareas = l->nslots = 0;
	l->areas = arena_calloc(arena, rows, sizeof(*l->areas));
	l->members = arena_calloc(arena, rows, sizeof(*l->members));
	l->signs = arena_calloc(arena, rows, sizeof(*l->signs));
	l->slots = arena_calloc(arena, slots, sizeof(*l->slots));
	if (l->areas == NULL || l->members == NULL || l->signs == NULL ||
	    l->slots == NULL)
		return (no_memory(info));
	for (i = 0; i < rows; i++) {
		if (!area_of(arena, r, (int)i, l))
			return (no_memory(info));
		if (i > 0 && l->areas[i].n > HOURS_FEW)
			break;
		if (!add_slots(arena, r, (int)i, 3, l))
			return (odd(info));
		l->nareas++;
	}
	qsort(l->slots, l->nslots, sizeof(*l->slots), by_series);
	return (ERR_OK);
}

static enum err
read_clock(struct warm_leaks *l, struct arena *arena, int64_t from_us,
    int64_t to_us, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct wire_view v;
	size_t i;
	enum err e;

	warm_time(&a, from_us);
	warm_time(&a, to_us);
	warm_text(&a, l->zone);
	e = warm_run(l->warm, ST_cycle_leaks_clock, &a, &r, info);
	if (e != ERR_OK)
		return (e);
	if (!wire_view(&v, PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0),
		OID_INT8, 8) ||
	    v.n != (size_t)((to_us - from_us) / US_PER_HOUR) + 1)
		return (odd(info));
	l->clock_us = from_us;
	l->nclock = v.n;
	if ((l->clock = arena_alloc(arena, v.n * sizeof(int64_t))) == NULL)
		return (no_memory(info));
	for (i = 0; i < v.n; i++)
		l->clock[i] = wire_get_i64(wire_at(&v, i));
	return (ERR_OK);
}

static void
add(struct warm_leaks *l, int32_t series, const struct rollup *u)
{
	const struct leak_slot *end = l->slots + l->nslots, *s;
	size_t low = 0, high = l->nslots, mid;
	int64_t hour;

	while (low < high) {
		mid = (low + high) / 2;
		if (l->slots[mid].series < series)
			low = mid + 1;
		else
			high = mid;
	}
	for (s = l->slots + low; s < end && s->series == series; s++) {
		const struct leak_area *a = &l->areas[s->area];

		hour = (u->bucket_us - a->from_us) / US_PER_HOUR;
		if (u->bucket_us < a->from_us || hour >= (int64_t)a->n)
			continue;
		s->sum[hour] += u->sum;
		s->good[hour] += (double)u->good;
	}
}

static enum err
add_row(struct warm_leaks *l, const PGresult *r, int row, struct err_info *info)
{
	struct rollup u[PACKED_ROLLUP_MAX];
	const int32_t series = warm_get_i32(r, row, 0);
	const char *data = PQgetvalue(r, row, 4);
	const size_t len = (size_t)PQgetlength(r, row, 4);
	size_t i, n;
	enum err e;

	if (PQgetisnull(r, row, 4)) {
		u[0] = (struct rollup){.bucket_us = warm_get_time(r, row, 1),
		    .good = warm_get_i64(r, row, 2),
		    .sum = warm_get_f64(r, row, 3)};
		add(l, series, &u[0]);
		return (ERR_OK);
	}
	n = packed_rollup_count(data, len);
	if (n > PACKED_ROLLUP_MAX)
		return (odd(info));
	if ((e = packed_rollup_sums(data, len, u)) != ERR_OK)
		return (err_set(info, e, NULL, "packed roll-ups"));
	for (i = 0; i < n; i++)
		add(l, series, &u[i]);
	return (ERR_OK);
}

static enum err
read_hours(
    struct warm_leaks *l, int64_t from_us, int64_t to_us, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	struct wire *w = &l->warm->wires[0];
	size_t i;
	enum err e;
	int row;

	wire_reset(w);
	wire_array(w, OID_INT4, l->nslots);
	for (i = 0; i < l->nslots; i++)
		wire_put_i32(w, l->slots[i].series);
	if (!wire_ok(w))
		return (no_memory(info));
	warm_wired(&a, w);
	warm_time(&a, from_us);
	warm_time(&a, to_us);
	e = warm_run(l->warm, ST_cycle_leaks_hours, &a, &r, info);
	for (row = 0; e == ERR_OK && row < PQntuples(r); row++)
		e = add_row(l, r, row, info);
	return (e);
}

/* The flows of an area add up where all are there. */
static enum err
add_up(struct warm_leaks *l, struct arena *arena, struct err_info *info)
{
	double *x;
	size_t i, h;

	for (i = 0; i < l->nareas; i++) {
		struct leak_area *a = &l->areas[i];

		a->inflow = arena_calloc(arena, a->n, sizeof(*x));
		if (a->inflow == NULL)
			return (no_memory(info));
	}
	for (i = 0; i < l->nslots; i++) {
		const struct leak_slot *s = &l->slots[i];
		const struct leak_area *a = &l->areas[s->area];

		x = (double *)(uintptr_t)a->inflow;
		for (h = 0; h < a->n; h++)
			x[h] += s->good[h] > 0
			    ? s->sign * s->sum[h] / s->good[h]
			    : NAN;
	}
	return (ERR_OK);
}

static enum err
balance(struct warm_leaks *l, struct arena *arena, struct err_info *info)
{
	size_t i;

	for (i = 0; i < l->nareas; i++)
		l->areas[i].wall = l->clock +
		    (l->areas[i].from_us - l->clock_us) / US_PER_HOUR;
	return (add_up(l, arena, info));
}

static int64_t
monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000);
}

/* When to look again that began then and found nothing. */
static int64_t
later(int64_t began_us)
{
	const int64_t now = monotonic_us();
	const int64_t rest = (now - began_us) * LOOK_PART;

	return (now + (rest > LOOK_LEAST ? rest : LOOK_LEAST));
}

static enum err
look(struct warm_leaks *l, struct arena *arena, const int64_t *until, bool all,
    struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e = ERR_OK;

	if (all)
		e = warm_run(l->warm, ST_cycle_leaks_sweep, NULL, NULL, info);
	warm_time(&a, until[0]);
	warm_time(&a, until[1]);
	warm_i64(&a, AREAS_MOST);
	warm_text(&a, all ? "true" : "false");
	if (e == ERR_OK)
		e = warm_run(l->warm, ST_cycle_leaks_due, &a, &r, info);
	return (e == ERR_OK ? read_areas(l, arena, r, info) : e);
}

/* Areas that are known are looked for by what arrived; all of the network,
 * which costs more the larger it is, less often. */
static enum err
find(struct warm_leaks *l, struct arena *arena, int64_t ready_us,
    int64_t oldest_us, struct err_info *info)
{
	const int64_t until[] = {ready_us, oldest_us};
	const int64_t began = monotonic_us();
	int64_t all;
	enum err e;

	l->nareas = 0;
	if (began < l->look_us)
		return (ERR_OK);
	e = warm_run(l->warm, ST_cycle_leaks_again, NULL, NULL, info);
	if (e == ERR_OK)
		e = look(l, arena, until, false, info);
	if (e != ERR_OK || l->nareas > 0)
		return (e);
	l->look_us = later(began);
	if ((all = monotonic_us()) < l->sweep_us)
		return (ERR_OK);
	if ((e = look(l, arena, until, true, info)) != ERR_OK)
		return (e);
	if (l->nareas == 0)
		l->sweep_us = later(all);
	else
		l->look_us = 0;
	return (ERR_OK);
}

static enum err
take(void *self, struct arena *arena, int64_t ready_us, int64_t oldest_us,
    struct leak_area **ret, size_t *ret_n, struct err_info *info)
{
	struct warm_leaks *l = self;
	int64_t from_us, to_us = INT64_MIN;
	size_t i;
	enum err e;

	e = find(l, arena, ready_us, oldest_us, info);
	*ret = l->areas;
	*ret_n = l->nareas;
	if (e != ERR_OK || l->nareas == 0)
		return (e);
	from_us = l->areas[0].from_us;
	for (i = 0; i < l->nareas; i++) {
		const struct leak_area *x = &l->areas[i];
		const int64_t end = x->from_us + (int64_t)x->n * US_PER_HOUR;

		from_us = x->from_us < from_us ? x->from_us : from_us;
		to_us = end > to_us ? end : to_us;
	}
	if ((e = read_clock(l, arena, from_us - CLOCK_BEFORE, to_us, info)) !=
		ERR_OK ||
	    (e = read_hours(l, from_us, to_us, info)) != ERR_OK)
		return (e);
	return (balance(l, arena, info));
}

/* The witnesses as areas, so that their hours are read as those are. */
static enum err
stage(struct warm_leaks *l, struct arena *arena, const PGresult *r,
    struct leak_look *look, struct err_info *info)
{
	size_t i;

	for (i = 0; i < l->nareas; i++) {
		l->areas[i] =
		    (struct leak_area){.from_us = look->from_us, .n = look->n};
		look->list[i] = (struct leak_witness){
		    .kind = (enum leak_witness_kind)warm_get_i32(r, (int)i, 0),
		    .name = warm_dup_text(arena, r, (int)i, 1),
		    .metric = warm_dup_text(arena, r, (int)i, 2)};
		if (look->list[i].name == NULL || look->list[i].metric == NULL)
			return (no_memory(info));
		if (!add_slots(arena, r, (int)i, 3, l))
			return (odd(info));
	}
	qsort(l->slots, l->nslots, sizeof(*l->slots), by_series);
	return (ERR_OK);
}

static enum err
read_witnesses(struct warm_leaks *l, struct arena *arena, const PGresult *r,
    struct leak_look *look, struct err_info *info)
{
	const int64_t to_us = look->from_us + (int64_t)look->n * US_PER_HOUR;
	size_t i, slots = 0;
	enum err e;

	l->nareas = look->nlist = (size_t)PQntuples(r);
	for (i = 0; i < l->nareas; i++)
		slots += (size_t)PQgetlength(r, (int)i, 3) / 8;
	look->list = arena_calloc(arena, l->nareas, sizeof(*look->list));
	l->areas = arena_calloc(arena, l->nareas, sizeof(*l->areas));
	l->slots = arena_calloc(arena, slots, sizeof(*l->slots));
	if (look->list == NULL || l->areas == NULL || l->slots == NULL)
		return (no_memory(info));
	if ((e = stage(l, arena, r, look, info)) != ERR_OK ||
	    (e = read_clock(l, arena, look->from_us, to_us, info)) != ERR_OK ||
	    (e = read_hours(l, look->from_us, to_us, info)) != ERR_OK ||
	    (e = add_up(l, arena, info)) != ERR_OK)
		return (e);
	for (i = 0; i < l->nareas; i++)
		look->list[i].x = l->areas[i].inflow;
	look->wall = l->clock;
	return (ERR_OK);
}

static enum err
witnesses(void *self, struct arena *arena, const struct leak_area *area,
    struct leak_look *look, struct err_info *info)
{
	const struct warm_leaks *real = self;
	const size_t i = (size_t)(area - real->areas);
	struct warm_leaks l = {.warm = real->warm, .zone = real->zone};
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	warm_i32(&a, area->lead);
	warm_text(&a, area->zone);
	warm_text(&a, real->members[i]);
	warm_text(&a, real->signs[i]);
	warm_text(&a, look->alone ? "true" : "false");
	e = warm_run(l.warm, ST_cycle_leaks_around, &a, &r, info);
	return (e == ERR_OK ? read_witnesses(&l, arena, r, look, info) : e);
}

static int64_t
instant(void *self, int64_t wall)
{
	const struct warm_leaks *l = self;
	size_t i = 0;

	while (i + 1 < l->nclock && l->clock[i] < wall)
		i++;
	return (l->clock_us + (int64_t)i * US_PER_HOUR);
}

static enum err
put_nights(struct warm *w, int32_t lead, const struct leak_result *x,
    struct err_info *info)
{
	static const uint32_t oids[] = {OID_INT4, OID_FLOAT8, OID_FLOAT8};
	struct warm_args a = {0};
	size_t i;

	if (x->nnights == 0)
		return (ERR_OK);
	for (i = 0; i < 3; i++) {
		wire_reset(&w->wires[i]);
		wire_array(&w->wires[i], oids[i], x->nnights);
	}
	for (i = 0; i < x->nnights; i++) {
		wire_put_i32(&w->wires[0], x->nights[i].day);
		wire_put_f64(&w->wires[1], x->nights[i].least);
		wire_put_f64(&w->wires[2], x->nights[i].mean);
	}
	warm_i32(&a, lead);
	for (i = 0; i < 3; i++) {
		if (!wire_ok(&w->wires[i]))
			return (no_memory(info));
		warm_wired(&a, &w->wires[i]);
	}
	return (warm_run(w, ST_cycle_leak_nights, &a, NULL, info));
}

static enum err
put_open(struct warm *w, int32_t lead, const struct leak_open *o,
    struct err_info *info)
{
	struct warm_args a = {0};

	warm_i32(&a, lead);
	warm_time(&a, o->since_us);
	warm_i32(&a, o->growth);
	warm_f64(&a, o->size);
	warm_f64(&a, o->largest);
	warm_f64(&a, o->fresh);
	warm_f64(&a, o->volume);
	warm_f64(&a, o->confidence);
	warm_f64(&a, o->night);
	warm_f64(&a, o->usual);
	warm_f64(&a, o->band);
	return (warm_run_one(w, ST_cycle_leak_tell, &a, info));
}

static enum err
save(void *self, const struct leak_area *area, const struct leak_result *x,
    struct err_info *info)
{
	struct warm_leaks *l = self;
	const size_t i = (size_t)(area - l->areas);
	struct wire *w = &l->warm->wires[0];
	struct warm_args a = {0};
	enum err e;

	wire_reset(w);
	if (!wire_room(w, x->state_len))
		return (no_memory(info));
	wire_bytes(w, x->state, x->state_len);
	warm_i32(&a, area->lead);
	warm_text(&a, l->members[i]);
	warm_text(&a, l->signs[i]);
	warm_time(&a, area->from_us + (int64_t)area->n * US_PER_HOUR);
	warm_wired(&a, w);
	warm_text(&a, area->zone);
	warm_i32(&a, area->dismissed);
	e = warm_run_one(l->warm, ST_cycle_leak_put, &a, info);
	if (e == ERR_OK)
		e = put_nights(l->warm, area->lead, x, info);
	if (e == ERR_OK &&
	    (x->open.since_us != INSTANT_NONE ||
		area->open.since_us != INSTANT_NONE))
		e = put_open(l->warm, area->lead, &x->open, info);
	return (e);
}

struct leak_port
warm_leaks(struct warm_leaks *l)
{
	return ((struct leak_port){l, take, save, witnesses, instant});
}
