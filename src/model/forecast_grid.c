/*
 * The grid of a series and its seasons.
 *
 *	rho(k) = sum (y_t - y_bar)(y_{t-k} - y_bar) / sum (y_t - y_bar)^2
 *
 * over what is there. A day is a season if rho(day) exceeds 1.645 standard
 * errors (Bartlett 1946, JRSS suppl. 8; the test M4 uses for its Naive2), a
 * week likewise; in a short history, where rolling origins cannot tell, only
 * if values a week apart are nearer to each other than values one to six days
 * apart are on average. Experts of the day alone are candidates all the same.
 */
#include "model/forecast_parts.h"

#include "core/instant.h"

#include <math.h>
#include <stdlib.h>

#define LEAST	  48  /* values */
#define ALIKE	  0.4 /* of the greatest distance */
#define WEEK_DAYS 7
#define MANY	  8    /* weeks */
#define LATE_DAYS 21   /* of which half is enough, whatever was before */
#define SEEN	  12   /* weeks the seasons are looked for in */
#define OUTERMOST 0.02 /* share at either end */
#define NORMAL_90 1.645
#define POSITIVE  0.05 /* of the mean: least value logarithms are for */

static double
autocorrelation(const double *y, size_t n, size_t lag, size_t *ret_pairs)
{
	double mean = 0, var = 0, cov = 0;
	size_t t, have = 0, pairs = 0;

	for (t = 0; t < n; t++)
		if (!isnan(y[t])) {
			mean += y[t];
			have++;
		}
	mean /= have > 0 ? (double)have : 1;
	for (t = 0; t < n; t++) {
		if (isnan(y[t]))
			continue;
		var += (y[t] - mean) * (y[t] - mean);
		if (t >= lag && !isnan(y[t - lag])) {
			cov += (y[t] - mean) * (y[t - lag] - mean);
			pairs++;
		}
	}
	*ret_pairs = pairs;
	if (pairs == 0 || !(var > 0))
		return (0);
	return (cov / (double)pairs / (var / (double)have));
}

static double
distance(const double *y, size_t n, size_t lag)
{
	double sum = 0;
	size_t t, have = 0;

	for (t = lag; t < n; t++)
		if (!isnan(y[t]) && !isnan(y[t - lag])) {
			sum += fabs(y[t] - y[t - lag]);
			have++;
		}
	return (have > 0 ? sum / (double)have : INFINITY);
}

static int
rising(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return ((x > y) - (x < y));
}

/* A copy whose outermost values are drawn in: one burst would hide every
 * season. NULL when the memory is out. */
static double *
drawn_in(const double *y, size_t n, struct arena *a)
{
	double *sorted = arena_alloc(a, n * sizeof(*sorted)),
	       *out = arena_alloc(a, n * sizeof(*out)), low, high;
	size_t t, have = 0;

	if (sorted == NULL || out == NULL)
		return (NULL);
	for (t = 0; t < n; t++)
		if (!isnan(y[t]))
			sorted[have++] = y[t];
	if (have == 0)
		return (NULL);
	qsort(sorted, have, sizeof(*sorted), rising);
	low = sorted[(size_t)((double)have * OUTERMOST)];
	high = sorted[have - 1 - (size_t)((double)have * OUTERMOST)];
	for (t = 0; t < n; t++)
		out[t] = isnan(y[t]) ? NAN : fmax(low, fmin(high, y[t]));
	return (out);
}

static void
seasons(struct forecast_grid *g, const double *y, size_t n, size_t day)
{
	const size_t week = WEEK_DAYS * day;
	double rho, within = 0;
	size_t pairs, k;

	rho = autocorrelation(y, n, day, &pairs);
	if (n >= 2 * day && pairs > 0 && rho > NORMAL_90 / sqrt((double)pairs))
		g->day = day;
	if (n < 2 * week)
		return;
	rho = autocorrelation(y, n, week, &pairs);
	for (k = 1; k < WEEK_DAYS; k++)
		within += distance(y, n, k * day) / (WEEK_DAYS - 1);
	if (pairs > 0 && rho > NORMAL_90 / sqrt((double)pairs) &&
	    (n >= MANY * week || distance(y, n, week) < within))
		g->week = week;
}

/* Mean distance of two days of the week, hour by hour, in the weeks seen. */
static double
unlike(const double *y, size_t n, size_t day, const size_t *pair)
{
	const size_t weeks = n / (WEEK_DAYS * day);
	double sum = 0;
	size_t w, h, have = 0;

	for (h = 0; h < day; h++) {
		double a = 0, b = 0;
		size_t both = 0;

		for (w = 0; w < weeks; w++) {
			const double *at = y + w * WEEK_DAYS * day + h;
			const double one = at[pair[0] * day],
				     other = at[pair[1] * day];

			if (!isnan(one) && !isnan(other)) {
				a += one;
				b += other;
				both++;
			}
		}
		if (both > 0) {
			sum += fabs(a - b) / (double)both;
			have++;
		}
	}
	return (have > 0 ? sum / (double)have : INFINITY);
}

/* Days of the week whose means differ by less than a good part of what all
 * pairs differ are of one kind. y begins with a day of number `first`. */
static void
kinds(struct forecast_grid *g, const double *y, size_t n, size_t first)
{
	const size_t day = g->day > 0 ? g->day : 1;
	double apart[WEEK_DAYS][WEEK_DAYS], most = 0;
	size_t i, j;

	for (i = 0; i < WEEK_DAYS; i++)
		for (j = 0; j < i; j++) {
			apart[i][j] = unlike(y, n, day, (const size_t[]){i, j});
			most = fmax(most, apart[i][j]);
		}
	for (i = 0; i < WEEK_DAYS; i++) {
		size_t kind = i;

		for (j = 0; j < i && kind == i; j++)
			if (apart[i][j] < ALIKE * most)
				kind = g->kinds[(first + j) % WEEK_DAYS];
		g->kinds[(first + i) % WEEK_DAYS] =
		    kind == i ? (first + i) % WEEK_DAYS : kind;
	}
}

bool
forecast_holiday(const struct forecast_series *s, size_t t)
{
	const int64_t day =
	    instant_floor(s->t0_us + (int64_t)t * s->step_us, US_PER_DAY) /
	    US_PER_DAY;
	size_t lo = 0, hi = s->nholidays;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (s->holidays[mid] < day)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (lo < s->nholidays && s->holidays[lo] == day);
}

static bool
logarithms(struct forecast_grid *g, size_t have, double sum, struct arena *a)
{
	double *z, least = INFINITY;
	size_t t;

	for (t = 0; t < g->n; t++)
		least = fmin(least, g->y[t]);
	if (!(least > POSITIVE * sum / (double)have))
		return (true);
	if ((z = arena_alloc(a, g->n * sizeof(*z))) == NULL)
		return (false);
	for (t = 0; t < g->n; t++)
		z[t] = log(g->y[t]);
	g->z = z;
	return (true);
}

/* Whether half is there, of all or of the newest weeks. */
static bool
dense(const double *y, size_t n, size_t day)
{
	size_t have = 0, t;

	for (t = n; t-- > 0;) {
		have += !isnan(y[t]);
		if (have * 2 >= n - t && (t == 0 || n - t >= LATE_DAYS * day))
			return (true);
	}
	return (false);
}

enum forecast_result
forecast_grid_make(
    struct forecast_grid *g, const struct forecast_series *s, struct arena *a)
{
	const size_t day =
	    s->step_us > 0 ? (size_t)(US_PER_DAY / s->step_us) : 0;
	double *y, *drawn, sum = 0;
	size_t t, have = 0;

	if (s->step_us <= 0 || US_PER_DAY % s->step_us != 0)
		return (FORECAST_BAD_STEP);
	if (s->n < LEAST || s->n > FORECAST_POINTS)
		return (FORECAST_TOO_SHORT);
	if ((y = arena_alloc(a, s->n * sizeof(*y))) == NULL)
		return (FORECAST_NO_MEMORY);
	*g = (struct forecast_grid){.y = y,
	    .n = s->n,
	    .per_day = day,
	    .columns = s->covariates,
	    .ncolumns = s->covariates == NULL ? 0 : s->ncovariates};
	for (t = 0; t < s->n; t++) {
		y[t] = isfinite(s->y[t]) && !forecast_holiday(s, t) ? s->y[t]
								    : NAN;
		if (!isnan(y[t])) {
			sum += y[t];
			have++;
		}
	}
	if (have < LEAST)
		return (FORECAST_TOO_SHORT);
	if (!dense(y, s->n, day))
		return (FORECAST_TOO_SPARSE);
	t = s->n > SEEN * WEEK_DAYS * day ? s->n - SEEN * WEEK_DAYS * day : 0;
	if ((drawn = drawn_in(y + t, s->n - t, a)) == NULL)
		return (FORECAST_TOO_SPARSE);
	seasons(g, drawn, s->n - t, day);
	t = (t + day - 1) / day * day;
	kinds(g, y + t, s->n - t, t / day % WEEK_DAYS);
	g->season = g->week > 0 ? g->week : g->day > 0 ? g->day : 1;
	if (s->n < 2 * g->season)
		return (FORECAST_TOO_SHORT);
	return (logarithms(g, have, sum, a) ? FORECAST_OK : FORECAST_NO_MEMORY);
}
