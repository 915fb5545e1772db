/*
 * Seasonal means and the moving window.
 *
 *	f(o, h) = sum_k g^k y[o + h - (m + k) p] / sum_k g^k,  k = 0 .. K-1
 *
 * where m p is the shortest whole number of periods that reaches back behind
 * the origin (Hyndman and Athanasopoulos 2021, "Forecasting: principles and
 * practice", 5.2), or their median.
 *
 *	f(o, h) = mean(last day) * mean_k [ y[s - k p] / mean(day before o - k p) ]
 *
 * the moving window's daily ratio times its hourly ratio, over the last four
 * periods (Pacchin, Alvisi and Franchini 2017, Water 9(3) 172).
 */
#include "model/forecast_parts.h"

#include <math.h>

#define WINDOW_PERIODS 4
#define MEDIAN_MOST    8
#define SEARCH	       8 /* periods, when none of those asked for is there */

static double
median(double *v, size_t n)
{
	size_t i, j;

	for (i = 1; i < n; i++) {
		const double x = v[i];

		for (j = i; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
	return (n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2);
}

/* param: period (0 the season, 1 the day), count, decay, median. */
static double
slot_mean(
    const struct forecast_grid *g, const double *param, size_t period, size_t t)
{
	double sum = 0, weight = 0, w = 1, values[MEDIAN_MOST];
	const size_t count = (size_t)param[1];
	size_t k, n = 0;

	for (k = 0; k < count + SEARCH && k * period <= t; k++) {
		const double y = g->y[t - k * period];

		if (k >= count && n > 0)
			break;
		if (!isnan(y)) {
			sum += w * y;
			weight += w;
			if (n < MEDIAN_MOST)
				values[n] = y;
			n++;
		}
		w *= param[2];
	}
	if (n == 0)
		return (NAN);
	if (param[3] != 0)
		return (median(values, n < MEDIAN_MOST ? n : MEDIAN_MOST));
	return (sum / weight);
}

bool
forecast_seasonal(const struct forecast_grid *g, const double *param,
    const struct forecast_job *job)
{
	const size_t period = param[0] != 0 && g->day > 0 ? g->day : g->season;
	size_t i, h;

	for (i = 0; i < job->norigins; i++)
		for (h = 0; h < job->horizon; h++) {
			const size_t o = job->origins[i],
				     back = (h / period + 1) * period;

			job->out[i * job->horizon + h] = o + h < back
			    ? NAN
			    : slot_mean(g, param, period, o + h - back);
		}
	return (true);
}

static double
mean_of(const double *y, size_t n)
{
	double sum = 0;
	size_t i, have = 0;

	for (i = 0; i < n; i++)
		if (!isnan(y[i])) {
			sum += y[i];
			have++;
		}
	return (have * 2 < n ? NAN : sum / (double)have);
}

bool
forecast_moving(const struct forecast_grid *g, const double *param,
    const struct forecast_job *job)
{
	const size_t day = g->day > 0 ? g->day : 1, period = g->season;
	size_t i, h, k;

	(void)param;
	for (i = 0; i < job->norigins; i++) {
		const size_t o = job->origins[i];
		const double last =
		    o < day ? NAN : mean_of(g->y + o - day, day);

		for (h = 0; h < job->horizon; h++) {
			double sum = 0;
			size_t have = 0, back = (h / period + 1) * period;

			for (k = 0; k < WINDOW_PERIODS && back + day <= o;
			     k++, back += period) {
				const double ratio = g->y[o + h - back] /
				    mean_of(g->y + o - back - day, day);

				if (isfinite(ratio)) {
					sum += ratio;
					have++;
				}
			}
			job->out[i * job->horizon + h] =
			    have > 0 ? last * sum / (double)have : NAN;
		}
	}
	return (true);
}
