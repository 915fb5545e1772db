/*
 * leak_around: what pressures and neighbours did as a leak is said to have
 * begun.
 *
 *	c = mean over hours h since the onset, a day at most, of
 *	    x_h - mean of x at the same hour of seven days before the onset
 *	z = c / standard deviation of the same c for onsets on days before
 *
 * A burst lowers pressure as it raises flow; flow that a neighbour loses as
 * much of came through a boundary valve; where pressure rose, more flows out
 * of what was open before.
 * Reference: Mounce et al. 2010, J. Hydroinformatics 12(2), on flow and
 * pressure together; Farley and Trow 2003, IWA, on boundary valves.
 * Runs on: C. Pure. Frees: nothing. Units: those of the series.
 */
#ifndef PENSTOCK_MODEL_LEAK_AROUND_H
#define PENSTOCK_MODEL_LEAK_AROUND_H

#include <stdbool.h>
#include <stddef.h>

#define LEAK_AROUND_BEFORE 360 /* hours before the onset that are looked at */
#define LEAK_AROUND_AFTER  24

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

/* x: hours, the leak begins with that of index `onset`. */
struct leak_change leak_change(const double *x, size_t n, size_t onset);
/* confidence: that of the flow alone. */
struct leak_around leak_weigh(double size, double confidence,
    const struct leak_change *pressures, size_t npressures,
    const struct leak_change *neighbours, size_t nneighbours);
/* "boundary valve", NULL: like a leak */
const char *leak_looks_name(enum leak_looks);

#endif
