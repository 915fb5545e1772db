#include "app/fit_series.h"

#include "core/instant.h"
#include "core/log.h"
#include "model/contest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_DAYS 371 /* 53 weeks: a year and the week that is tried on */
#define LEAST_DAYS   21
#define LEAST_HOURS  84 /* compared, of those tried on */
#define SILENT_US    (7 * US_PER_DAY)
#define SCORED_DAYS  7 /* scored again, for readings that came late */
#define SCORES	     512
#define DATA_MAX     ((size_t)8 << 20)
#define SCRATCH_MAX  ((size_t)256 << 20)

_Static_assert(sizeof(struct forecast_model) <= FORECASTS_MODEL, "its room");
_Static_assert(CONTEST_HOURS == FORECASTS_HOURS, "the same horizon");

/* What is too large for a stack. */
struct fit_room {
	struct forecasts_model champion;
	struct forecasts_made made[FORECASTS_OLD], next;
	struct forecasts_score scores[SCORES];
	size_t nscores;
	char reason[160];
};

/* Hours by the clock on the wall; see forecast.h. */
struct hours {
	struct forecast_series wall;
	int64_t first_us, origin_us; /* UTC; there is nothing from origin on */
};

bool
fit_series_init(
    struct fit_series *f, struct warm *w, const atomic_bool *stopping)
{
	*f = (struct fit_series){.warm = w, .stopping = stopping};
	arena_init(&f->data, DATA_MAX);
	arena_init(&f->scratch, SCRATCH_MAX);
	f->room = calloc(1, sizeof(*f->room));
	return (f->room != NULL);
}

void
fit_series_done(struct fit_series *f)
{
	arena_done(&f->data);
	arena_done(&f->scratch);
	free(f->room);
}

void
fit_series_span(int64_t now_us, int64_t *ret_from_us, int64_t *ret_to_us)
{
	*ret_from_us =
	    instant_floor(now_us, US_PER_HOUR) - HISTORY_DAYS * US_PER_DAY;
	*ret_to_us = now_us + 10 * US_PER_DAY;
}

/* --- hours -----------------------------------------------------------------
 */

static int64_t
wall(const struct forecasts_zone *z, int64_t t_us)
{
	size_t i = z->n - 1;

	while (i > 0 && z->shifts[i].since_us > t_us)
		i--;
	return (t_us + z->shifts[i].ahead_us);
}

static size_t
cell(const struct fit_series *f, const struct hours *h, int64_t t_us)
{
	return ((size_t)((wall(&f->zone, t_us) - h->wall.t0_us) / US_PER_HOUR));
}

/* Of an hour that comes twice, the cell holds both: it is not before either. */
static size_t
before(const struct fit_series *f, const struct hours *h, int64_t t_us)
{
	const size_t one = cell(f, h, t_us),
		     other = cell(f, h, t_us + US_PER_HOUR);

	return (other < one ? other : one);
}

static bool
lay(const struct fit_series *f, struct hours *h,
    const struct forecasts_hours *got, struct arena *a)
{
	double *y, v;
	size_t i, at;

	h->wall.step_us = US_PER_HOUR;
	h->wall.t0_us = instant_floor(wall(&f->zone, h->first_us), US_PER_DAY);
	h->wall.n = before(f, h, h->origin_us);
	h->wall.holidays = f->holidays.days;
	h->wall.feasts = f->holidays.feasts;
	h->wall.nholidays = f->holidays.n;
	if ((y = arena_calloc(a, h->wall.n + 1, sizeof(*y))) == NULL)
		return (false);
	for (i = 0; i < h->wall.n; i++)
		y[i] = (double)NAN;
	for (i = 0; i < got->n; i++) {
		at = cell(f, h, got->from_us + (int64_t)i * US_PER_HOUR);
		if (!(got->good[i] > 0) || at >= h->wall.n)
			continue;
		v = got->sum[i] / got->good[i];
		y[at] = isnan(y[at]) ? v : y[at] + (v - y[at]) / 2;
	}
	h->wall.y = y;
	return (true);
}

static enum err
load(struct fit_series *f, int32_t series, struct hours *ret,
    struct err_info *info)
{
	struct forecasts_hours got = {
	    .series = series, .n = (size_t)HISTORY_DAYS * 24};
	int64_t to_us;
	size_t first = 0, end = got.n;
	enum err e;

	fit_series_span(f->now_us, &got.from_us, &to_us);
	arena_reset(&f->data);
	got.sum = arena_calloc(&f->data, got.n, sizeof(*got.sum));
	got.good = arena_calloc(&f->data, got.n, sizeof(*got.good));
	if (got.sum == NULL || got.good == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "hours"));
	if ((e = forecasts_hours(f->warm, &got, info)) != ERR_OK)
		return (e);
	while (first < got.n && !(got.good[first] > 0))
		first++;
	while (end > first && !(got.good[end - 1] > 0))
		end--;
	*ret = (struct hours){
	    .first_us = got.from_us + (int64_t)first * US_PER_HOUR,
	    .origin_us = got.from_us + (int64_t)end * US_PER_HOUR};
	if (first < end && !lay(f, ret, &got, &f->data))
		return (err_set(info, ERR_NO_MEMORY, NULL, "hours"));
	return (ERR_OK);
}

/* NULL: there is enough to forecast from. */
static const char *
silence(struct fit_series *f, const struct hours *h)
{
	char when[INSTANT_TEXT];

	if (h->wall.n == 0)
		return ("there is no good reading in a whole hour of the last "
			"year");
	if (f->now_us - h->origin_us < SILENT_US)
		return (NULL);
	(void)instant_format(h->origin_us, when);
	(void)snprintf(f->room->reason, sizeof(f->room->reason),
	    "there is no good reading since %s", when);
	return (f->room->reason);
}

/* --- forecasts -------------------------------------------------------------
 */

static bool
read_champion(const struct forecasts_model *c, struct forecast_model *ret)
{
	if (c->id == 0 || c->format != FORECAST_VERSION ||
	    c->len != sizeof(*ret))
		return (false);
	memcpy(ret, c->bytes, sizeof(*ret));
	return (ret->version == FORECAST_VERSION &&
	    ret->nexperts <= FORECAST_EXPERTS &&
	    ret->horizon == CONTEST_HORIZON);
}

/* Into room->next; false if the model cannot say anything. */
static bool
foretell(struct fit_series *f, const struct hours *h,
    const struct forecast_model *m, int64_t id)
{
	struct forecast_point points[CONTEST_HORIZON];
	struct forecasts_made *made = &f->room->next;
	size_t k, at, said = 0;

	arena_reset(&f->scratch);
	if (forecast_answer(m, &h->wall, &f->scratch, points) != FORECAST_OK)
		return (false);
	made->model = id;
	made->origin_us = h->origin_us;
	for (k = 0; k < CONTEST_HOURS; k++) {
		at = cell(f, h, h->origin_us + (int64_t)k * US_PER_HOUR) -
		    h->wall.n;
		made->points[FORECASTS_VALUE][k] = points[at].value;
		made->points[FORECASTS_LOWER][k] = points[at].lower;
		made->points[FORECASTS_UPPER][k] = points[at].upper;
		said += isfinite(points[at].value);
	}
	return (said > 0);
}

static struct contest_sums *
place(struct contest_sums *sums, struct fit_room *r,
    const struct forecasts_score *wanted)
{
	size_t i;

	for (i = 0; i < r->nscores; i++) {
		if (r->scores[i].model == wanted->model &&
		    r->scores[i].day_us == wanted->day_us &&
		    r->scores[i].ahead == wanted->ahead)
			return (&sums[i]);
	}
	if (i == SCORES)
		return (NULL);
	r->scores[r->nscores++] = *wanted;
	sums[i] = (struct contest_sums){0};
	return (&sums[i]);
}

/* One forecast against what came, in whole UTC days that are not long over. */
static void
score_one(const struct fit_series *f, const struct hours *h,
    const struct forecasts_made *made, struct contest_sums *sums)
{
	const int64_t since =
	    instant_floor(f->now_us, US_PER_DAY) - SCORED_DAYS * US_PER_DAY;
	struct contest_sums *to;
	size_t k;

	for (k = 0; k < FORECASTS_HOURS; k++) {
		const int64_t t = made->origin_us + (int64_t)k * US_PER_HOUR;
		const struct forecast_point p = {
		    made->points[FORECASTS_VALUE][k],
		    made->points[FORECASTS_LOWER][k],
		    made->points[FORECASTS_UPPER][k]};
		const struct forecasts_score wanted = {.model = made->model,
		    .day_us = instant_floor(t, US_PER_DAY),
		    .ahead = (int32_t)(k / 24)};

		if (wanted.day_us < since || t < h->first_us ||
		    wanted.day_us + US_PER_DAY > h->origin_us)
			continue;
		to = place(sums, f->room, &wanted);
		if (to != NULL)
			(void)contest_add(to, &h->wall, cell(f, h, t), &p);
	}
}

static enum err
score(struct fit_series *f, int32_t series, const struct hours *h,
    struct err_info *info)
{
	struct contest_sums sums[SCORES];
	struct fit_room *r = f->room;
	size_t i, n = 0;
	enum err e = forecasts_made(f->warm, series,
	    f->now_us - FORECASTS_DAYS * US_PER_DAY, r->made, &n, info);

	if (e != ERR_OK)
		return (e);
	r->nscores = 0;
	for (i = 0; i < n; i++)
		score_one(f, h, &r->made[i], sums);
	for (i = 0, n = 0; i < r->nscores; i++) {
		if (sums[i].hours == 0)
			continue;
		r->scores[n] = r->scores[i];
		r->scores[n++].sums =
		    (struct forecasts_sums){.hours = (int32_t)sums[i].hours,
			.inside = (int32_t)sums[i].inside,
			.error = sums[i].error,
			.naive = sums[i].naive};
	}
	r->nscores = n;
	return (ERR_OK);
}

static enum err
predict(struct fit_series *f, int32_t series, const struct hours *h,
    struct forecasts_note *note, struct err_info *info)
{
	struct forecast_model m;
	struct fit_room *r = f->room;
	enum err e = forecasts_champion(f->warm, series, &r->champion, info);

	if (e == ERR_OK)
		e = score(f, series, h, info);
	if (e != ERR_OK)
		return (e);
	if (!read_champion(&r->champion, &m))
		note->refused = "its model is of another release; the next "
				"night learns anew";
	else if (!foretell(f, h, &m, r->champion.id))
		note->refused = "its model says nothing of these hours";
	note->predicted = note->refused == NULL;
	if ((e = forecasts_begin(f->warm, info)) == ERR_OK)
		e = forecasts_scores_put(f->warm, r->scores, r->nscores, info);
	if (e == ERR_OK && note->predicted)
		e = forecasts_put(f->warm, series, &r->next, info);
	return (e);
}

/* --- models ----------------------------------------------------------------
 */

/* NULL: a model was learnt from all but the last days, and tried on them. */
static const char *
learn_and_try(struct fit_series *f, const struct hours *h,
    const struct contest_pair *pair, struct contest_sums *ret_sums)
{
	struct forecast_series past = h->wall;
	struct forecast_model *m = pair->model;
	const int64_t days = (h->origin_us - h->first_us) / US_PER_DAY;
	enum forecast_result res;

	if (days < LEAST_DAYS || past.n < LEAST_DAYS * 24) {
		(void)snprintf(f->room->reason, sizeof(f->room->reason),
		    "the history is too short: %d days, of the %d it takes",
		    (int)days, LEAST_DAYS);
		return (f->room->reason);
	}
	past.n -= CONTEST_DAYS * 24;
	arena_reset(&f->scratch);
	memset(m, 0, sizeof(*m));
	res = forecast_learn(m, &past, CONTEST_HORIZON, &f->scratch);
	if (res != FORECAST_OK)
		return (forecast_reason(res));
	if (!contest_judge(pair, &h->wall, &f->scratch, ret_sums))
		return ("the model says nothing of the last week");
	if (ret_sums->hours < LEAST_HOURS)
		return ("the last week has too few good hours to try it on");
	return (NULL);
}

/* When the cell begins. */
static int64_t
time_of(const struct fit_series *f, const struct hours *h, size_t at)
{
	int64_t t = h->origin_us;

	while (t > h->first_us && cell(f, h, t - US_PER_HOUR) >= at)
		t -= US_PER_HOUR;
	return (t);
}

static enum err
learn(struct fit_series *f, int32_t series, const struct hours *h,
    struct forecasts_note *note, struct err_info *info)
{
	struct forecast_model m, champion;
	struct contest_pair pair = {&m, NULL};
	struct contest_sums s = {0};
	struct forecasts_new new = {.series = series,
	    .from_us = h->first_us,
	    .format = FORECAST_VERSION,
	    .origins = CONTEST_DAYS,
	    .model = &m,
	    .len = sizeof(m)};
	struct fit_room *r = f->room;
	int64_t id;
	enum err e = forecasts_champion(f->warm, series, &r->champion, info);

	if (e != ERR_OK)
		return (e);
	if (read_champion(&r->champion, &champion))
		pair.rival = &champion;
	note->refused = learn_and_try(f, h, &pair, &s);
	note->unfit = note->refused != NULL;
	note->fitted = !note->unfit;
	if (atomic_load(f->stopping))
		return (err_set(info, ERR_DEADLINE, NULL, "the service stops"));
	if (note->unfit)
		return (forecasts_begin(f->warm, info));
	new.to_us = time_of(f, h, h->wall.n - CONTEST_DAYS * 24);
	new.rival = r->champion.id;
	new.sums = (struct forecasts_sums){(int32_t)s.hours, (int32_t)s.inside,
	    s.error, s.naive, pair.rival != NULL ? s.rival : (double)NAN};
	new.wins = pair.rival == NULL || contest_wins(&s);
	if ((e = forecasts_begin(f->warm, info)) == ERR_OK)
		e = forecasts_model_put(
		    f->warm, &new, &id, &note->crowned, info);
	if (e != ERR_OK || !note->crowned)
		return (e);
	note->predicted = foretell(f, h, &m, id);
	return (note->predicted ? forecasts_put(f->warm, series, &r->next, info)
				: ERR_OK);
}

/* --- one series ------------------------------------------------------------
 */

static enum err
work(struct fit_series *f, bool does_learn, struct forecasts_note *note,
    struct err_info *info)
{
	struct hours h;
	enum err e = load(f, note->series, &h, info);

	if (e == ERR_OK && (note->refused = silence(f, &h)) != NULL) {
		note->unfit = does_learn;
		e = forecasts_begin(f->warm, info);
	} else if (e == ERR_OK) {
		e = (does_learn ? learn : predict)(
		    f, note->series, &h, note, info);
	}
	if (e == ERR_OK)
		e = forecasts_note(f->warm, &f->run, note, info);
	return (e == ERR_OK ? forecasts_commit(f->warm, info) : e);
}

/* What is wrong with this series is no reason to leave the others. */
static enum err
pass_over(struct fit_series *f, int32_t series, bool does_learn,
    const struct err_info *why)
{
	struct err_info info = {0};
	const struct forecasts_note note = {
	    .series = series, .refused = why->detail, .unfit = does_learn};

	log_event(LOG_LEVEL_WARN, "fit_failed", "series", LOG_INT,
	    (int64_t)series, "why", LOG_STR, why->detail, NULL);
	return (forecasts_note(f->warm, &f->run, &note, &info));
}

enum err
fit_series_do(struct fit_series *f, int32_t series, bool does_learn,
    struct err_info *info)
{
	struct forecasts_note note = {.series = series};
	enum err e = forecasts_claim(f->warm, series, does_learn, info);

	if (e != ERR_OK)
		return (e);
	e = work(f, does_learn, &note, info);
	if (e == ERR_OK)
		return (ERR_OK);
	forecasts_rollback(f->warm);
	if (e == ERR_DATABASE || e == ERR_DEADLINE)
		return (e);
	return (pass_over(f, series, does_learn, info));
}
