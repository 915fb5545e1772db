/*
 * forecast: demand of one series over the days to come, with honest bands.
 *
 *	f(o, h) = sum_j w_j(h) f_j(o, h)
 *	band(o, h) = f(o, h) + s(hour of o + h) [q_lower(h), q_upper(h)]
 *
 * Experts f_j (seasonal means, double seasonal exponential smoothing, direct
 * regression) forecast from rolling origins of the past, each from the data
 * before it only. The weights w_j are chosen greedily, with replacement, so
 * that the mean's absolute error there is least: half of each by the whole
 * horizon, half by the part of it that h is in. The bands are quantiles of
 * the errors that one half of the origins makes with what the other half
 * chose, in units of the hour's own spread s (forecast_bands.c).
 * Tried on 28 sets of series and left out, for they did not pay: an
 * autoregression of the choice's errors on those of its last day, hours and
 * same hour, where half of the origins vouch for it (0.1 % less error: the
 * smoothing's phi and the regression's last residuals hold it already), and 60
 * boosted trees of depth 3 on what the regression leaves, with hour and weekday
 * (no less error, 19 times the time).
 * References: Caruana et al. 2004, "Ensemble selection from libraries of
 * models", ICML; Tashman 2000, "Out-of-sample tests of forecasting accuracy",
 * IJF 16(4); for the bands Vovk, Gammerman and Shafer 2005, "Algorithmic
 * learning in a random world" (split conformal prediction).
 * Runs on: T (learning takes tenths of a second), C (all else). Pure. Frees:
 * nothing; the model is a plain value that may be stored as bytes, and gives
 * the same answer wherever it is read again. Units: the series' own.
 */
#ifndef PENSTOCK_MODEL_FORECAST_H
#define PENSTOCK_MODEL_FORECAST_H

#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_VERSION 5
#define FORECAST_EXPERTS 36
#define FORECAST_PARAMS	 6
#define FORECAST_BANDS	 10 /* of the horizon, see forecast_band() */
#define FORECAST_HOURS	 24
#define FORECAST_HORIZON 2688 /* steps at most */
#define FORECAST_POINTS	 120000
#define FORECAST_COLUMNS 4 /* covariates that are looked at, the first */

/* What goes with a series, weather say, on its grid. What reaches beyond the
 * series' end is taken as known there at the origin: a forecast, a plan. */
struct forecast_covariate {
	const double *x; /* NaN: not known */
	size_t n;
};

/* Values at a steady step of the clock on the wall: a day of 23 hours has an
 * hour without a value. */
struct forecast_series {
	const double *y; /* NaN: missing */
	size_t n;
	int64_t t0_us, step_us;	 /* of y[0], as if the wall's clock were UTC */
	const int32_t *holidays; /* days since 1970-01-01, rising */
	size_t nholidays;
	const int32_t *feasts; /* of each holiday; alike: the same feast of
				* another year; NULL: nothing is known */
	const struct forecast_covariate *covariates; /* NULL: none */
	size_t ncovariates;
};

struct forecast_expert {
	int kind;
	double param[FORECAST_PARAMS];
	double weight[FORECAST_BANDS];
};

struct forecast_model {
	int version;
	size_t day, week; /* seasons in steps, 0 if the data has none */
	size_t horizon;
	size_t nexperts;
	struct forecast_expert experts[FORECAST_EXPERTS];
	double lower[FORECAST_BANDS], upper[FORECAST_BANDS];
	double spread[FORECAST_HOURS];
	double error; /* mean absolute, at the rolling origins */
};

/* All NaN where no expert of the model can say. */
struct forecast_point {
	double value, lower, upper;
};

enum forecast_result {
	FORECAST_OK,
	FORECAST_TOO_SHORT,  /* fewer than two of its seasons, or than 48 */
	FORECAST_TOO_SPARSE, /* less than half of the values are there */
	FORECAST_BAD_STEP,   /* a day is no whole number of steps, or horizon */
	FORECAST_NO_MEMORY
};

const char *forecast_reason(enum forecast_result);
enum forecast_result forecast_learn(struct forecast_model *ret_model,
    const struct forecast_series *, size_t horizon, struct arena *);
/* The model's horizon of points, from the end of the series on. */
enum forecast_result
forecast_answer(const struct forecast_model *, const struct forecast_series *,
    struct arena *, struct forecast_point *ret_points);
/* Which part of the horizon the h-th step (from 0) is in. */
size_t forecast_band(size_t day, size_t h);

/* What any method is to be measured against. */
enum forecast_baseline {
	FORECAST_SAME_DAY,   /* the value a day before */
	FORECAST_SAME_WEEK,  /* a week before */
	FORECAST_FOUR_WEEKS, /* mean of the last four weeks */
	FORECAST_ALPHA_BETA, /* Pacchin, Alvisi, Franchini 2017 */
	FORECAST_BASELINES
};

extern const char *const forecast_baselines[FORECAST_BASELINES];
bool forecast_baseline(enum forecast_baseline, const struct forecast_series *,
    size_t horizon, struct arena *, double *ret_values);

#endif
