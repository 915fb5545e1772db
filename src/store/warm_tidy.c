/*
 * Every cycle leaves a segment of its own for every series it heard. Once an
 * hour has passed its segments become one, once a day has, the day's, and
 * once a month has, the month's of series with few readings. Roll-ups of days
 * and months that are over are packed with them. What comes late marks its day
 * and month again. A month's partition is written anew after that, without the
 * room that its rows took before they were joined.
 */
#include "core/instant.h"
#include "core/log.h"
#include "domain/order.h"
#include "store/warm_rollups.h"

#include <stdlib.h>
#include <time.h>

/* Series per step: from few, to what joins as much as a cycle can bear. */
#define SERIES_FIRST 10
#define SERIES_MOST  4000
#define ROWS_FEW     5000
#define ROWS_MANY    20000
/* Readings in memory at once, 32 bytes each, twice. */
#define READINGS_FEW  200000
#define READINGS_MANY 1000000
/* After this long a call starts no further step. */
#define BUDGET_US (US_PER_SECOND / 4)
/* Hours that a start looks at. */
#define HOURS_BACK (3 * US_PER_HOUR)
/* What comes later than this finds its hour, day or month joined already. */
#define HOUR_LAG  (5 * US_PER_MINUTE)
#define DAY_LAG	  (30 * US_PER_MINUTE)
#define MONTH_LAG (6 * US_PER_HOUR)
/* How long a span rests before it is joined again. */
#define REST (30 * US_PER_MINUTE)
/* A month with more readings of a series stays in days. */
#define SPARSE 2000
/* Between two looks for partitions to write anew, if there was none. */
#define LOOSE (10 * US_PER_SECOND)
/* Between two looks whether partitions are there for what will come. */
#define AHEAD (6 * US_PER_HOUR)

/* One step: what it read and what it will write. */
struct step {
	struct warm *w;
	struct warm_copy copy;
	int32_t series; /* whose readings are in w->decoded */
	int16_t class;
	size_t n;
	int64_t rows, rollups, readings;
	bool last;
	int32_t newest; /* series id, if last */
};

static int64_t
elapsed_us(const struct timespec *since)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((t.tv_sec - since->tv_sec) * US_PER_SECOND +
	    (t.tv_nsec - since->tv_nsec) / 1000);
}

static bool
choose_hour(struct warm_tidying *t, int64_t now_us)
{
	int64_t today = instant_floor(now_us, US_PER_DAY);
	int64_t first = instant_floor(now_us, US_PER_HOUR) - HOURS_BACK;

	/* What is older is joined with its day. */
	if (t->next_hour_us < today || t->next_hour_us < first)
		t->next_hour_us = first < today ? today : first;
	if (t->next_hour_us + US_PER_HOUR + HOUR_LAG > now_us)
		return (false);
	t->from_us = t->next_hour_us;
	t->to_us = t->next_hour_us += US_PER_HOUR;
	t->series = INT32_MIN;
	t->listed = false;
	return (true);
}

/* The next span that is over; t->to_us stays 0 if none is due. */
static enum err
choose(struct warm *w, int64_t now_us, struct err_info *info)
{
	struct warm_tidying *t = &w->tidying;
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	if (t->to_us != 0)
		return (ERR_OK);
	t->most = SERIES_FIRST;
	if (choose_hour(t, now_us))
		return (ERR_OK);
	warm_time(&a, instant_floor(now_us - DAY_LAG, US_PER_DAY));
	warm_time(&a, warm_month(now_us - MONTH_LAG));
	warm_time(&a, now_us - REST);
	if ((e = warm_run(w, ST_cycle_tidy_next, &a, &r, info)) != ERR_OK ||
	    PQntuples(r) == 0)
		return (e);
	t->listed = true;
	t->monthly = warm_get_bool(r, 0, 0);
	t->from_us = warm_get_time(r, 0, 1);
	t->to_us = warm_get_time(r, 0, 2);
	t->series = PQgetisnull(r, 0, 3) ? INT32_MIN : warm_get_i32(r, 0, 3);
	return (ERR_OK);
}

static void
adapt(struct warm_tidying *t, const struct step *s)
{
	int64_t rows = s->rows + s->rollups;

	if (rows > ROWS_MANY || s->readings > READINGS_MANY)
		t->most = t->most > 1 ? t->most / 2 : 1;
	else if (rows < ROWS_FEW && s->readings < READINGS_FEW &&
	    t->most < SERIES_MOST)
		t->most *= 2;
}

/* The gathered readings of one series, in order, each time once. */
static enum err
put_series(struct step *s, struct err_info *info)
{
	struct reading *scratch, *r;
	size_t i, n = 0;

	if (s->n == 0)
		return (ERR_OK);
	if ((scratch = malloc(s->n * sizeof(*scratch))) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "segments"));
	r = order_readings(s->w->decoded, scratch, s->n);
	for (i = 0; i < s->n; i++)
		if (n == 0 || r[n - 1].t_us != r[i].t_us)
			r[n++] = r[i];
	if (n != s->n)
		log_event(LOG_LEVEL_ERROR, "segments_repeat", "series", LOG_INT,
		    (int64_t)s->series, "readings", LOG_INT,
		    (int64_t)(s->n - n), NULL);
	warm_copy_put(&s->copy, s->class, r, n);
	s->readings += (int64_t)n;
	s->n = 0;
	free(scratch);
	return (ERR_OK);
}

static enum err
take_row(struct step *s, const PGresult *r, struct err_info *info)
{
	int32_t series = warm_get_i32(r, 0, 0);
	size_t n;
	enum err e;

	if (PQgetisnull(r, 0, 2)) {
		s->last = PQgetisnull(r, 0, 0) != 0;
		s->newest = series;
		return (put_series(s, info));
	}
	if (s->n > 0 && series != s->series &&
	    (e = put_series(s, info)) != ERR_OK)
		return (e);
	s->series = series;
	s->class = wire_get_i16(PQgetvalue(r, 0, 1));
	n = warm_decode(s->w, PQgetvalue(r, 0, 2), (size_t)PQgetlength(r, 0, 2),
	    series, s->n, info);
	if (n == 0)
		return (info->code);
	s->n += n;
	s->rows++;
	return (ERR_OK);
}

static enum err
take_rows(struct step *s, struct err_info *info)
{
	const struct warm_tidying *t = &s->w->tidying;
	struct warm_args a = {0};
	enum err e, mine = ERR_OK;

	warm_i32(&a, t->series);
	warm_i64(&a, t->most);
	warm_time(&a, t->from_us);
	warm_time(&a, t->to_us);
	warm_i64(&a, t->listed && t->monthly ? SPARSE : INT64_MAX);
	e = warm_send(s->w, ST_cycle_tidy, &a, info);
	while (e == ERR_OK) {
		AUTO_RESULT r = NULL;

		e = warm_next(s->w, ST_cycle_tidy, &r, info);
		if (e != ERR_OK || r == NULL)
			break;
		if (mine == ERR_OK)
			mine = take_row(s, r, info);
	}
	return (e == ERR_OK ? mine : e);
}

/* The row of segment_spans says how far the pass is. */
static enum err
note(
    struct warm *w, const struct step *s, int64_t now_us, struct err_info *info)
{
	const struct warm_tidying *t = &w->tidying;
	struct warm_args a = {0};

	if (!t->listed)
		return (ERR_OK);
	warm_text(&a, t->monthly ? "t" : "f");
	warm_time(&a, t->from_us);
	if (s->last)
		warm_text(&a, NULL);
	else
		warm_i32(&a, s->newest);
	warm_time(&a, now_us);
	return (warm_run_one(w, ST_cycle_tidy_done, &a, info));
}

static enum err
pack_rollups(
    struct warm *w, struct step *s, int64_t now_us, struct err_info *info)
{
	const struct warm_tidying *t = &w->tidying;

	if (!t->listed)
		return (ERR_OK);
	return (warm_rollups_tidy(w,
	    &(struct warm_rollups_step){.series = t->series,
		.most = t->most,
		.from_us = t->from_us,
		.to_us = t->to_us,
		.now_us = now_us,
		.monthly = t->monthly},
	    &s->rollups, info));
}

static enum err
in_unit(struct warm *w, struct step *s, int64_t now_us, struct err_info *info)
{
	enum err e;

	if ((e = warm_segments_lock(w, info)) != ERR_OK)
		return (e);
	warm_copy_init(&s->copy, w, &w->wires[0]);
	if ((e = take_rows(s, info)) != ERR_OK ||
	    (e = warm_copy_end(&s->copy, warm_copy_segments, info)) != ERR_OK ||
	    (e = pack_rollups(w, s, now_us, info)) != ERR_OK)
		return (e);
	return (note(w, s, now_us, info));
}

static enum err
step(struct warm *w, int64_t now_us, int64_t *ret_rows, struct err_info *info)
{
	struct decisions_port d = warm_decisions(w);
	struct step s = {.w = w};
	enum err e;

	if ((e = d.begin(d.self, info)) == ERR_OK)
		e = in_unit(w, &s, now_us, info);
	if (e == ERR_OK)
		e = d.commit(d.self, info);
	if (e != ERR_OK) {
		d.rollback(d.self);
		return (e);
	}
	adapt(&w->tidying, &s);
	if (s.last)
		w->tidying.to_us = 0;
	w->tidying.series = s.newest;
	*ret_rows += s.rows;
	return (ERR_OK);
}

static enum err
want_ahead(struct warm *w, int64_t now_us, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e = warm_segments_lock(w, info);
	int i;

	warm_time(&a, now_us);
	if (e == ERR_OK)
		e = warm_run(w, ST_cycle_segments_ahead, &a, &r, info);
	for (i = 0; e == ERR_OK && i < PQntuples(r); i++)
		e = warm_segments_want(w, wire_get_i16(PQgetvalue(r, i, 0)),
		    warm_get_time(r, i, 1), info);
	return (e == ERR_OK ? warm_segments_make(w, info) : e);
}

static enum err
make_ahead(struct warm *w, int64_t now_us, struct err_info *info)
{
	struct decisions_port d = warm_decisions(w);
	enum err e;

	if (now_us < w->tidying.next_ahead_us)
		return (ERR_OK);
	if ((e = d.begin(d.self, info)) == ERR_OK)
		e = want_ahead(w, now_us, info);
	if (e == ERR_OK)
		e = d.commit(d.self, info);
	if (e == ERR_OK)
		w->tidying.next_ahead_us = now_us + AHEAD;
	else
		d.rollback(d.self);
	return (e);
}

/* The partitions of one month. */
static enum err
rewrite(struct warm *w, int64_t now_us, struct err_info *info)
{
	struct warm_args a = {0};
	AUTO_RESULT r = NULL;
	enum err e;

	if (now_us < w->tidying.next_rewrite_us)
		return (ERR_OK);
	warm_time(&a, warm_month(now_us - MONTH_LAG));
	e = warm_run(w, ST_cycle_tidy_rewrite, &a, &r, info);
	if (e == ERR_OK && !warm_get_bool(r, 0, 0))
		w->tidying.next_rewrite_us = now_us + LOOSE;
	return (e);
}

enum err
warm_tidy(
    struct warm *w, int64_t now_us, int64_t *ret_joined, struct err_info *info)
{
	struct timespec began;
	enum err e;

	*ret_joined = 0;
	clock_gettime(CLOCK_MONOTONIC, &began);
	if ((e = make_ahead(w, now_us, info)) != ERR_OK)
		return (e);
	do {
		if ((e = choose(w, now_us, info)) != ERR_OK)
			return (e);
		if (w->tidying.to_us == 0)
			return (rewrite(w, now_us, info));
		e = step(w, now_us, ret_joined, info);
	} while (e == ERR_OK && elapsed_us(&began) < BUDGET_US);
	return (e);
}
