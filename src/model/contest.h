/*
 * contest: how well a model forecasts what came, beside another and beside the
 * value a week before.
 *
 *	mae = mean over daily origins o and hours h of |f(o, h) - y(o + h)|
 *
 * of hours in which all who are compared say something. Whoever is judged must
 * have learnt from nothing behind the first origin.
 * Reference: Tashman 2000, "Out-of-sample tests of forecasting accuracy", IJF
 * 16(4).
 * Runs on: T (judging takes a tenth of a second), C (all else). Pure. Frees:
 * nothing. Units: the series' own, a step of an hour.
 */
#ifndef PENSTOCK_MODEL_CONTEST_H
#define PENSTOCK_MODEL_CONTEST_H

#include "model/forecast.h"

#define CONTEST_DAYS	7 /* origins: so many days before the end, and less */
#define CONTEST_HOURS	168
#define CONTEST_HORIZON (CONTEST_HOURS + 24) /* a clock may be put forward */

struct contest_sums {
	size_t hours, inside; /* inside: of the interval */
	double error, naive, rival;
};

struct contest_pair {
	struct forecast_model *model;
	const struct forecast_model *rival; /* NULL: none */
};

/* The scratch is emptied. False: a model could not answer. */
bool contest_judge(const struct contest_pair *, const struct forecast_series *,
    struct arena *scratch, struct contest_sums *ret);
/* Whether the model's error is so much lower that it is to reign. */
bool contest_wins(const struct contest_sums *);
/* Adds one hour: the forecast of y[at]; not if anything is missing. */
bool contest_add(struct contest_sums *, const struct forecast_series *,
    size_t at, const struct forecast_point *);

#endif
