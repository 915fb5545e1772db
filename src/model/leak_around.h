/*
 * leak_around: what pressures and neighbours did as a leak is said to have
 * begun.
 *
 *	c = mean over hours h since the onset, a day at most, of
 *	    x_h - mean of x at the same hour of seven days before the onset
 *	z = c / standard deviation of the same c for onsets on days before
 *
 *	part of a meter = max(0, after - before) / sum over meters of the same,
 *	    over hours in which all are there; before and after: as in c, or, of
 *	    growth, the nights (02:00-05:00 of the wall's clock) of 20 days
 *	    before the onset and of the last week of 15 days after it
 *
 * A burst lowers pressure as it raises flow; flow that neighbours lose came
 * through a boundary valve if the sum of all that changed stays what it was;
 * where pressure rose, more flows out of what was open before.
 * Reference: Mounce et al. 2010, J. Hydroinformatics 12(2), on flow and
 * pressure together; Farley and Trow 2003, IWA, on boundary valves.
 * Runs on: C. Pure. Frees: nothing. Units: those of the series.
 */
#ifndef PENSTOCK_MODEL_LEAK_AROUND_H
#define PENSTOCK_MODEL_LEAK_AROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAK_AROUND_BEFORE 360 /* hours before the onset that are looked at */
#define LEAK_AROUND_AFTER  24
#define LEAK_GROWTH_BEFORE 480
#define LEAK_GROWTH_AFTER  360

enum leak_looks { LEAK_PLAIN, LEAK_BOUNDARY, LEAK_PRESSURE_ROSE };

struct leak_change {
	double change, z;
	bool known; /* else hours are missing, and both are 0 */
};

struct leak_around {
	enum leak_looks looks;
	double confidence; /* 0..1, of the leak */
	size_t lowest;	   /* pressure that fell most; SIZE_MAX: none fell */
};

struct leak_part {
	double before, after;
	double share; /* 0..1, all sum to 1; NAN: none of several rose */
};

/* Of the meters of an area: what each adds to its inflow. */
struct leak_hours {
	const double *const *x; /* NAN: missing */
	size_t meters, n, onset;
	const int64_t *wall; /* of each hour; NULL: a step, else growth */
};

/* x: hours, the leak begins with that of index `onset`. */
struct leak_change leak_change(const double *x, size_t n, size_t onset);
/* confidence: that of the flow alone. */
struct leak_around leak_weigh(double size, double confidence,
    const struct leak_change *pressures, size_t npressures,
    const struct leak_change *neighbours, size_t nneighbours);
/* False: too many hours are missing. */
bool leak_parts(const struct leak_hours *, struct leak_part *ret);
/* "boundary valve", NULL: like a leak */
const char *leak_looks_name(enum leak_looks);

#endif
