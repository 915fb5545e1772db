/*
 * Double seasonal exponential smoothing with first-order autocorrelation.
 *
 *	e_t = y_t - (l + d[t mod day] + w[t mod week]),  u_t = e_t - phi e_{t-1}
 *	l += alpha u_t;  d += delta u_t;  w += omega u_t
 *	f(o, h) = l + d[.] + w[.] + phi^(h+1) e_{o-1}
 *
 * Taylor 2010, "Triple seasonal methods for short-term electricity demand
 * forecasting", EJOR 204(1), equations of the double seasonal method; on the
 * logarithm too. Errors beyond four times their running mean enter as four
 * times (Gelper, Fried and Croux 2010, "Robust forecasting with exponential
 * and Holt-Winters smoothing", J. Forecasting 29(3)); where there is no season
 * as their mean, which draws the level to the median: bursts are not the rule.
 */
#include "model/forecast_parts.h"

#include <math.h>
#include <string.h>

#define MEMORY_SEASONS 20 /* seasons run through before the first origin */
#define FIRST_SEASONS  2  /* that give the states they begin with */
#define FLAT_DAYS      7  /* as a season, where there is none */
#define CLIP	       4.0
#define SCALE_STEP     0.02
#define EXP_MOST       300.0
#define SCALE_LEAST    0.1 /* of the first: a still week stops no learning */

enum { ALPHA, DELTA, OMEGA, PHI, LOGARITHM, DAY_ALONE };

struct smooth {
	const double *y;
	size_t day, week;
	double level, *d, *w, error, scale, least;
	bool flat; /* no season: the level is to be a median */
};

static void
slots(
    const struct smooth *s, size_t from, size_t to, size_t period, double *ret)
{
	size_t i, t;

	for (i = 0; i < period; i++) {
		double sum = 0;
		size_t have = 0;

		for (t = from + (period + i - from % period) % period; t < to;
		     t += period) {
			double y = s->y[t];

			if (isnan(y))
				continue;
			y -= s->level;
			if (ret == s->w && s->day > 0)
				y -= s->d[t % s->day];
			sum += y;
			have++;
		}
		/* One more, of nothing: a slot seen once is half noise. */
		ret[i] = have > 0 ? sum / (double)(have + (ret == s->w)) : 0;
	}
}

static void
begin(struct smooth *s, size_t from, size_t to)
{
	double sum = 0;
	size_t t, have = 0;

	for (t = from; t < to; t++)
		if (!isnan(s->y[t])) {
			sum += s->y[t];
			have++;
		}
	s->level = have > 0 ? sum / (double)have : 0;
	if (s->day > 0)
		slots(s, from, to, s->day, s->d);
	if (s->week > 0)
		slots(s, from, to, s->week, s->w);
	for (sum = 0, t = from; t < to; t++)
		if (!isnan(s->y[t]))
			sum += fabs(s->y[t] - s->level);
	s->scale = have > 0 ? sum / (double)have : 0;
	s->least = SCALE_LEAST * s->scale;
	s->error = 0;
}

/* The first whole season from which on there is enough to begin with. */
static size_t
first_full(const struct smooth *s, size_t from, size_t end, size_t season)
{
	const size_t span = FIRST_SEASONS * season;
	size_t at, t;

	for (at = from; at + span <= end; at += season) {
		size_t have = 0;

		for (t = at; t < at + span; t++)
			have += !isnan(s->y[t]);
		if (have * 2 >= span)
			return (at);
	}
	return (from);
}

static double
expected(const struct smooth *s, size_t t)
{
	return (s->level + (s->day > 0 ? s->d[t % s->day] : 0) +
	    (s->week > 0 ? s->w[t % s->week] : 0));
}

static void
step(struct smooth *s, const double *param, size_t t)
{
	const double most = CLIP * s->scale;
	double e, u;

	if (isnan(s->y[t])) {
		s->error *= param[PHI];
		return;
	}
	e = s->y[t] - expected(s, t);
	u = e - param[PHI] * s->error;
	if (!(s->scale > 0)) /* nothing had moved yet */
		s->scale = fabs(u);
	else if (fabs(u) > most)
		u = copysign(most, u);
	s->scale += SCALE_STEP * (fabs(u) - s->scale);
	s->scale = fmax(s->scale, s->least);
	if (s->flat && fabs(u) > s->scale)
		u = copysign(s->scale, u);
	s->error = u + param[PHI] * s->error;
	s->level += param[ALPHA] * u;
	if (s->day > 0)
		s->d[t % s->day] += param[DELTA] * u;
	if (s->week > 0)
		s->w[t % s->week] += param[OMEGA] * u;
}

static void
emit(const struct smooth *s, const double *param, size_t origin,
    const struct forecast_job *job, double *out)
{
	double rest = s->error;
	size_t h;

	for (h = 0; h < job->horizon; h++) {
		rest *= param[PHI];
		out[h] = expected(s, origin + h) + rest;
		if (param[LOGARITHM] != 0)
			out[h] = exp(fmin(out[h], EXP_MOST));
	}
}

bool
forecast_smooth(const struct forecast_grid *g, const double *param,
    const struct forecast_job *job)
{
	struct smooth s = {.y = param[LOGARITHM] != 0 ? g->z : g->y,
	    .day = g->day,
	    .week = param[DAY_ALONE] != 0 ? 0 : g->week,
	    .flat = g->season == 1};
	const size_t season = g->season > 1 || g->per_day == 0
	    ? g->season
	    : FLAT_DAYS * g->per_day;
	const size_t first = job->origins[0], memory = MEMORY_SEASONS * season;
	size_t from = first > memory ? first - memory : 0, to, i, t;

	s.d = arena_calloc(job->arena, s.day + 1, sizeof(double));
	s.w = arena_calloc(job->arena, s.week + 1, sizeof(double));
	if (s.d == NULL || s.w == NULL)
		return (false);
	from = first_full(&s, from, first, season);
	to = from + FIRST_SEASONS * season;
	begin(&s, from, to < first ? to : first);
	for (i = 0, t = from; i < job->norigins; i++) {
		for (; t < job->origins[i]; t++)
			step(&s, param, t);
		emit(&s, param, t, job, job->out + i * job->horizon);
	}
	return (true);
}
