#include "model/effect.h"

#include <math.h>

#define Z 1.959964 /* the normal's 97.5 % */

/* Student's t, 97.5 %, by degrees of freedom from 1. */
static const double quantiles[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
    2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
    2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
    2.045, 2.042};

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

/* Beyond the table: Abramowitz and Stegun 26.7.5, two terms. */
static double
quantile(double df)
{
	if (!(df >= 1))
		return (quantiles[0]);
	if (df < (double)QUANTILES + 1)
		return (quantiles[(size_t)df - 1]);
	return (Z + (pow(Z, 3) + Z) / (4 * df) +
	    (5 * pow(Z, 5) + 16 * pow(Z, 3) + 3 * Z) / (96 * df * df));
}

void
effect_estimate(const struct effect_windows *w, struct effect_estimate *ret)
{
	const struct window_stats *all[] = {
	    &w->before, &w->after, &w->control_before, &w->control_after};
	struct effect_estimate e = {.change = w->after.mean - w->before.mean};
	double part, s2 = 0, below = 0, free = 0;
	size_t i;

	if (w->controlled)
		e.control_change =
		    w->control_after.mean - w->control_before.mean;
	for (i = 0; i < (w->controlled ? 4 : 2); i++) {
		part = all[i]->variance / (double)all[i]->count;
		s2 += part;
		below += part * part / (double)(all[i]->count - 1);
		free += (double)(all[i]->count - 1);
	}
	e.effect = e.change - e.control_change;
	e.se = sqrt(s2);
	e.df = below > 0 ? s2 * s2 / below : free;
	e.t = quantile(e.df);
	e.low = e.effect - e.t * e.se;
	e.high = e.effect + e.t * e.se;
	*ret = e;
}
