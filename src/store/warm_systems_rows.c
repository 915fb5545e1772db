#include "store/warm_systems_rows.h"

#include "core/instant.h"
#include "domain/packed_rollup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is known of a step so far; parts of a bucket add up. */
struct sum {
	int64_t n, good, last_us;
	double sum, last;
};

/* One read. */
struct sums {
	const struct system_table *table;
	size_t from, to; /* columns */
	struct sum *s;	 /* a row of to - from per step */
};

struct system_series *
systems_series(struct arena *arena, const PGresult *r)
{
	const size_t n = (size_t)PQntuples(r);
	struct system_series *s = arena_calloc(arena, n + 1, sizeof(*s));
	size_t i;

	for (i = 0; s != NULL && i < n; i++) {
		s[i].series = warm_get_i32(r, (int)i, 0);
		s[i].node = warm_dup_text(arena, r, (int)i, 1);
		s[i].metric = warm_dup_text(arena, r, (int)i, 2);
		s[i].status = warm_get_bool(r, (int)i, 3);
		if (s[i].node == NULL || s[i].metric == NULL)
			return (NULL);
	}
	return (s);
}

double *
systems_room(struct arena *arena, size_t n)
{
	double *x = arena_calloc(arena, n + 1, sizeof(*x));
	size_t i;

	for (i = 0; x != NULL && i < n; i++)
		x[i] = (double)NAN;
	return (x);
}

static void
add(struct sums *s, int32_t series, const struct rollup *u)
{
	const struct system_table *t = s->table;
	const int64_t at = (u->bucket_us - t->from_us) / t->step_us;
	struct sum *to;
	size_t i;

	if (u->bucket_us < t->from_us || at >= (int64_t)t->steps)
		return;
	for (i = s->from; i < s->to; i++) {
		if (t->series[i].series != series)
			continue;
		to = &s->s[(size_t)at * (s->to - s->from) + i - s->from];
		if (to->n == 0 || u->last_us > to->last_us) {
			to->last_us = u->last_us;
			to->last = u->last;
		}
		to->n += u->count;
		to->good += u->good;
		to->sum += u->sum;
		return;
	}
}

static enum err
add_packed(struct sums *s, int32_t series, const char *data, size_t len,
    struct err_info *info)
{
	struct rollup u[PACKED_ROLLUP_MAX];
	const int32_t width_s = (int32_t)(s->table->step_us / US_PER_SECOND);
	const size_t n = packed_rollup_count(data, len);
	size_t i;

	if (n == 0 || n > PACKED_ROLLUP_MAX ||
	    packed_rollup_decode(data, len, series, width_s, u) != ERR_OK)
		return (err_set(info, ERR_INTERNAL, NULL,
		    "roll-ups of series %d cannot be read", (int)series));
	for (i = 0; i < n; i++)
		add(s, series, &u[i]);
	return (ERR_OK);
}

static enum err
add_row(struct sums *s, const PGresult *r, int row, struct err_info *info)
{
	const int32_t series = warm_get_i32(r, row, 0);

	if (!PQgetisnull(r, row, 7))
		return (add_packed(s, series, PQgetvalue(r, row, 7),
		    (size_t)PQgetlength(r, row, 7), info));
	add(s, series,
	    &(struct rollup){
		.bucket_us = warm_get_time(r, row, 1),
		.count = warm_get_i64(r, row, 2),
		.good = warm_get_i64(r, row, 3),
		.sum = warm_get_f64(r, row, 4),
		.last_us = warm_get_time(r, row, 5),
		.last = warm_get_f64(r, row, 6),
	    });
	return (ERR_OK);
}

/* A status is what it was last, if no reading of the step is in doubt. */
static double
value(const struct sum *s, bool status)
{
	if (s->good <= 0)
		return ((double)NAN);
	if (!status)
		return (s->sum / (double)s->good);
	return (s->good == s->n ? s->last : (double)NAN);
}

static void
settle(const struct sums *s)
{
	const struct system_table *t = s->table;
	const size_t width = s->to - s->from;
	size_t i, k;

	for (k = 0; k < t->steps; k++)
		for (i = 0; i < width; i++)
			t->x[k * t->n + s->from + i] =
			    value(&s->s[k * width + i],
				t->series[s->from + i].status);
}

static enum err
ask(struct warm *w, const struct sums *s, PGresult **ret, struct err_info *info)
{
	const struct system_table *t = s->table;
	struct warm_args a = {0};
	size_t i;

	wire_reset(&w->wires[0]);
	wire_array(&w->wires[0], OID_INT4, s->to - s->from);
	for (i = s->from; i < s->to; i++)
		wire_put_i32(&w->wires[0], t->series[i].series);
	if (!wire_ok(&w->wires[0]))
		return (err_set(info, ERR_NO_MEMORY, NULL, "series"));
	warm_wired(&a, &w->wires[0]);
	warm_time(&a, t->from_us);
	warm_time(&a, t->from_us + (int64_t)t->steps * t->step_us);
	warm_i32(&a, (int32_t)(t->step_us / US_PER_SECOND));
	return (warm_run(w, ST_system_steps, &a, ret, info));
}

enum err
systems_read(struct warm *w, struct system_table *t, size_t from, size_t to,
    struct err_info *info)
{
	struct sums s = {.table = t, .from = from, .to = to};
	AUTO_RESULT r = NULL;
	int row;
	enum err e;

	if ((e = ask(w, &s, &r, info)) != ERR_OK)
		return (e);
	if ((s.s = calloc(t->steps * (to - from) + 1, sizeof(*s.s))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "steps"));
	for (row = 0; e == ERR_OK && row < PQntuples(r); row++)
		e = add_row(&s, r, row, info);
	if (e == ERR_OK)
		settle(&s);
	free(s.s);
	return (e);
}
