/*
 * lab_covariates: a long file of what goes with the series to forecast:
 * weather, plans. A column belongs to the series of its own node, or to all if
 * none of them is of its node. A reading holds until the next, a day at most;
 * what lies behind an origin is taken as known there, as far as `ahead`.
 *
 * Runs on: penstock-lab. Frees: lab_covariates_free(). Units: µs; steps of the
 * series' grid. Errors: told on stderr, then false.
 */
#ifndef PENSTOCK_CMD_LAB_COVARIATES_H
#define PENSTOCK_CMD_LAB_COVARIATES_H

#include "cmd/lab_series.h"
#include "model/forecast.h"

struct lab_covariates {
	struct lab_file file;
	bool *common; /* of each: no series is of its node */
	double *x[FORECAST_COLUMNS];
	struct forecast_covariate column[FORECAST_COLUMNS];
	size_t ncolumns;
};

bool lab_covariates_read(
    struct lab_covariates *, const char *path, const struct lab_file *series);
void lab_covariates_free(struct lab_covariates *);
/* Lays the columns of a series on its grid, the first FORECAST_COLUMNS. */
bool lab_covariates_take(struct lab_covariates *, const struct lab_readings *,
    const struct lab_grid *);
/* The same from step `skip` of the grid on, `most` steps of them; how many. */
size_t lab_covariates_cut(const struct lab_covariates *, size_t skip,
    size_t most, struct forecast_covariate *ret);

#endif
