/*
 * forecast_parts: what the files of forecast share: the grid of a series and
 * the experts.
 *
 * Runs on: C. Pure. Frees: nothing; memory is the job's arena. Units: steps
 * and the series' own. Errors: false when the memory is out.
 */
#ifndef PENSTOCK_MODEL_FORECAST_PARTS_H
#define PENSTOCK_MODEL_FORECAST_PARTS_H

#include "model/forecast.h"

struct forecast_grid {
	const double *y; /* NaN: missing, or a holiday unlike its weekday */
	const double *z; /* log y, NULL where that makes no sense */
	size_t n;
	size_t per_day;	  /* steps, season or not */
	size_t day, week; /* 0: no such season */
	size_t season;	  /* the longest, 1 if there is none */
	size_t kinds[7];  /* of days, by day number modulo 7: alike or not */
	const struct forecast_covariate *columns;
	size_t ncolumns;
};

/* Forecast `horizon` steps from each origin (rising), from y[0 .. origin). */
struct forecast_job {
	const size_t *origins;
	size_t norigins, horizon;
	struct arena *arena;
	double *out; /* norigins rows of horizon; NaN: cannot say */
};

enum forecast_kind {
	FORECAST_SEASONAL,
	FORECAST_SMOOTH,
	FORECAST_REGRESS,
	FORECAST_MOVING,
	FORECAST_KINDS
};

typedef bool (*forecast_run)(const struct forecast_grid *, const double *param,
    const struct forecast_job *);

bool forecast_seasonal(const struct forecast_grid *, const double *param,
    const struct forecast_job *);
bool forecast_smooth(const struct forecast_grid *, const double *param,
    const struct forecast_job *);
bool forecast_regress(const struct forecast_grid *, const double *param,
    const struct forecast_job *);
bool forecast_moving(const struct forecast_grid *, const double *param,
    const struct forecast_job *);

/* Every expert worth a try on such a grid, without weights; how many. */
size_t forecast_candidates(
    const struct forecast_grid *, struct forecast_expert *ret, size_t room);

#define FORECAST_TERMS 4 /* of each column */

struct forecast_column {
	const double *x;
	double *mean, *base, *usual;
	double unit, fine;
	int64_t reach; /* steps it is known ahead, below 0: behind */
	size_t n;
};

/* The caller sets day, weeks (seasons of the base), end (steps to prepare for)
 * and scale, zeros else. */
struct forecast_columns {
	struct forecast_column column[FORECAST_COLUMNS];
	size_t n, day, weeks, end;
	double scale, *wave;
};

bool forecast_columns_make(
    struct forecast_columns *, const struct forecast_grid *, struct arena *);
/* The terms of step t as seen from an origin; how many. */
size_t forecast_columns_at(const struct forecast_columns *, size_t origin,
    size_t t, size_t slot, double *ret);

/* Seasons by autocorrelation, holidays taken out, logarithms if positive. */
enum forecast_result forecast_grid_make(
    struct forecast_grid *, const struct forecast_series *, struct arena *);

/* What the choice errs by at its rolling origins: a row of the horizon each,
 * NaN: not known. */
struct forecast_errors {
	const double *error;
	const size_t *origins; /* rising, evenly apart */
	size_t norigins, horizon, day;
};

/* The model's spread and bands; false when the memory is out. */
bool forecast_calibrate(
    struct forecast_model *, const struct forecast_errors *, struct arena *);
/* Which of the day's FORECAST_HOURS step t is in. */
size_t forecast_hour(size_t day, size_t t);
bool forecast_holiday(const struct forecast_series *, size_t t);
/* How many times wider the band of step t is: 1, but on holidays and beside. */
double forecast_feast_width(const struct forecast_series *, size_t t);

/* What each step behind the end departs from an ordinary day by: 0, but on
 * holidays. */
void forecast_feasts(const struct forecast_grid *,
    const struct forecast_series *, size_t horizon, double *ret);

#endif
