/*
 * lab_series: a whole file of readings as series on a steady step of the wall
 * clock: what forecasts and leaks are learnt from.
 *
 * Runs on: penstock-lab. Frees: lab_series_free(). Units: µs; y is the mean of
 * what a step holds, NaN if nothing. Errors: told on stderr, then false.
 */
#ifndef PENSTOCK_CMD_LAB_SERIES_H
#define PENSTOCK_CMD_LAB_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lab_readings {
	char *node, *metric;
	int64_t *t_us; /* UTC, rising */
	double *value;
	size_t n, room;
};

struct lab_file {
	struct lab_readings *series;
	size_t n;
};

/* One series on the grid. */
struct lab_grid {
	int64_t t0_us, step_us; /* on the wall's clock */
	double *y;
	size_t n;
};

bool lab_file_read(struct lab_file *, const char *path);
void lab_file_free(struct lab_file *);
/* The zone of all that follows, a name of the tz database; NULL: UTC. */
bool lab_zone(const char *name);
/* UTC to what the clock on the wall says, as if that were UTC. */
int64_t lab_wall(int64_t t_us);
/* The caller frees y. */
bool
lab_grid_make(struct lab_grid *, const struct lab_readings *, int64_t step_us);
/* "168h", "5m", "2d" */
bool lab_duration(const char *text, int64_t *ret_us);

#endif
