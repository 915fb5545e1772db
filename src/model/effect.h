/*
 * effect: by how much a series changed from one window to another, and
 * whether that stands out of its spread. With a control series, which what was
 * done does not touch, its change is taken off: what changed both is no effect.
 *
 *	e  = (after - before) - (control after - control before), of means
 *	s2 = sum of v / n over the windows, v their unbiased variances
 *	df = s2^2 / sum of (v / n)^2 / (n - 1)
 *	e lies within t(0.975, df) sqrt(s2) of what it is, at 95 %
 *
 * Readings count as independent; those of water are less so, which makes the
 * span narrow: the least effect that a plan names is what guards against drift.
 * References: Welch 1947, "The generalization of Student's problem when
 * several different population variances are involved"; Satterthwaite 1946;
 * difference in differences: Card and Krueger 1994; quantiles: NIST/SEMATECH
 * e-Handbook 1.3.6.7.2.
 * Runs on: C. Units: the series' own. Errors: none.
 */
#ifndef PENSTOCK_MODEL_EFFECT_H
#define PENSTOCK_MODEL_EFFECT_H

#include "core/ports.h"

struct effect_windows {
	struct window_stats before, after;
	bool controlled;
	struct window_stats control_before, control_after;
};

struct effect_estimate {
	double change, control_change; /* 0 without a control */
	double effect;
	double se, df, t;
	double low, high; /* the span of 95 % */
};

/* Each window that counts holds two readings or more. */
void
effect_estimate(const struct effect_windows *, struct effect_estimate *ret);

#endif
