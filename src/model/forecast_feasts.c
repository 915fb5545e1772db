/*
 * Holidays to come: days of a kind of their own.
 *
 *	f'(t) = f(t) + l(t) - o(t) + k / (k + PRIOR) mean_i (y_i - l(i))
 *
 * f: what an ordinary day of that weekday would be; o and l: medians of the
 * hour over the nearest days of the own weekday and of the one that past
 * holidays are like, Sunday unless they plainly are like another; i: the same
 * hour of k past holidays, the same feast of another year counting more. So
 * with no holiday in the history one is like a Sunday, with many like
 * themselves (shrinkage as Efron and Morris 1973, JASA 68(341)). Bands are wider
 * there: too few holidays went before for quantiles of their own.
 */
#include "model/forecast_parts.h"

#include "core/instant.h"

#include <math.h>

#define WEEK_DAYS  7
#define SUNDAY	   3 /* 1970-01-01 was a Thursday */
#define NEAREST	   6
#define AWAY	   9 /* weeks to either side */
#define PRIOR	   10.0
#define SAME_FEAST 3.0
#define PLAINLY	   0.8
#define PAST_MOST  64
#define ON	   1.5	/* how much more ten districts' holidays err, */
#define BESIDE	   1.15 /* and the days before and after them */
#define FAR	   INT64_C(10000000) /* days: no series reaches so far */

struct feasts {
	const struct forecast_grid *g;
	const struct forecast_series *s;
	int64_t day, apart; /* steps of a day; days between days alike */
	size_t past;	    /* holidays that began before the end */
	int64_t like;
};

/* Step k of a day; any step may lie outside of the series. */
static int64_t
cell(const struct feasts *f, int64_t day, int64_t k)
{
	const int64_t near = day < -FAR ? -FAR : day > FAR ? FAR : day;
	const int64_t us = near * US_PER_DAY - f->s->t0_us;

	return (instant_floor(us, f->s->step_us) / f->s->step_us + k);
}

static double
value(const struct feasts *f, const double *y, int64_t at)
{
	return (at >= 0 && at < (int64_t)f->g->n ? y[at] : NAN);
}

/* NaN where there is no such day. */
static double
usual(const struct feasts *f, int64_t day, int64_t weekday, int64_t k)
{
	const int64_t last =
	    (f->s->t0_us + (int64_t)f->g->n * f->s->step_us) / US_PER_DAY;
	const int64_t at = day < last ? day : last;
	const int64_t middle =
	    at - ((at - weekday) % f->apart + f->apart) % f->apart;
	double v[NEAREST], y;
	size_t n = 0, i;
	int64_t j;

	for (j = 0; j < 2 * AWAY * WEEK_DAYS / f->apart && n < NEAREST; j++) {
		const int64_t away = (j % 2 == 0 ? -j / 2 : j / 2 + 1);

		y = value(f, f->g->y, cell(f, middle + away * f->apart, k));
		if (isnan(y))
			continue;
		for (i = n++; i > 0 && v[i - 1] > y; i--)
			v[i] = v[i - 1];
		v[i] = y;
	}
	return (n == 0 ? NAN : (v[(n - 1) / 2] + v[n / 2]) / 2);
}

/* The weekday that past holidays are like. */
static int64_t
likeness(const struct feasts *f)
{
	const size_t from = f->past > PAST_MOST ? f->past - PAST_MOST : 0;
	int64_t best = SUNDAY, w, k;
	double least = INFINITY;
	size_t i;

	for (w = 0; w < f->apart; w++) {
		double apart = 0, have = 0;

		for (i = from; i < f->past; i++)
			for (k = 0; k < f->day; k++) {
				const int64_t d = f->s->holidays[i];
				const double e =
				    value(f, f->s->y, cell(f, d, k)) -
				    usual(f, d, w, k);

				if (!isnan(e)) {
					apart += fabs(e);
					have++;
				}
			}
		apart = have > 0 ? apart / have : INFINITY;
		if (w == SUNDAY)
			apart *= PLAINLY;
		if (apart < least) {
			least = apart;
			best = w;
		}
	}
	return (best);
}

/* How step k of holiday h departs from an ordinary day of its weekday. */
static double
departs(const struct feasts *f, size_t h, int64_t k)
{
	const int32_t *feasts = f->s->feasts;
	const int64_t day = f->s->holidays[h];
	const double own = usual(f, day, day, k),
		     like = usual(f, day, f->like, k);
	double sum = 0, weight = 0;
	size_t i;

	for (i = f->past > PAST_MOST ? f->past - PAST_MOST : 0; i < f->past;
	     i++) {
		const int64_t d = f->s->holidays[i];
		const double e =
		    value(f, f->s->y, cell(f, d, k)) - usual(f, d, f->like, k);
		const double w =
		    feasts != NULL && feasts[i] == feasts[h] ? SAME_FEAST : 1;

		if (!isnan(e)) {
			sum += w * e;
			weight += w;
		}
	}
	sum /= weight + PRIOR;
	return (isnan(own) || isnan(like) ? sum : sum + like - own);
}

void
forecast_feasts(const struct forecast_grid *g, const struct forecast_series *s,
    size_t horizon, double *ret)
{
	struct feasts f = {.g = g,
	    .s = s,
	    .day = US_PER_DAY / s->step_us,
	    .apart = g->week > 0 ? WEEK_DAYS : 1};
	int64_t k, at;
	size_t h;

	for (h = 0; h < horizon; h++)
		ret[h] = 0;
	while (f.past < s->nholidays &&
	    cell(&f, s->holidays[f.past], 0) < (int64_t)g->n)
		f.past++;
	f.like = likeness(&f);
	for (h = 0; h < s->nholidays; h++) {
		if (cell(&f, s->holidays[h], f.day) <= (int64_t)g->n)
			continue;
		if (cell(&f, s->holidays[h], 0) >= (int64_t)(g->n + horizon))
			break;
		for (k = 0; k < f.day; k++) {
			at = cell(&f, s->holidays[h], k) - (int64_t)g->n;
			if (at >= 0 && at < (int64_t)horizon)
				ret[at] = departs(&f, h, k);
		}
	}
}

double
forecast_feast_width(const struct forecast_series *s, size_t t)
{
	const size_t day = (size_t)(US_PER_DAY / s->step_us);

	if (forecast_holiday(s, t))
		return (ON);
	return (forecast_holiday(s, t + day) ||
		    (t >= day && forecast_holiday(s, t - day))
		? BESIDE
		: 1);
}
