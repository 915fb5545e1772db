/*
 * lab_explain: what lies behind each alarm, a row per series that adds to it:
 *
 *	node,metric,ts,rule,since,value,expected,low,high,share,looks_like
 *
 * The shares of one alarm sum to 1; what is not known is an empty cell.
 *
 * Runs on: penstock-lab. Frees: explain_close(). Units: the series' own; µs.
 * Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_LAB_EXPLAIN_H
#define PENSTOCK_CMD_LAB_EXPLAIN_H

#include "cmd/lab_csv.h"

struct explain_row {
	const struct lab_series *series;
	const char *rule, *looks_like;
	int64_t t_us, since_us;
	double value, expected, band, share; /* NaN: not known */
};

struct explain {
	const char *path; /* NULL: nobody asked */
	FILE *f;
};

bool explain_open(struct explain *, const char *path);
void explain_tell(struct explain *, const struct explain_row *);
/* False: not all could be written. */
bool explain_close(struct explain *);

#endif
