/*
 * balance: which flows and tanks make up the inflow of one zone, found from
 * what they do and not from a drawing.
 *
 *	zone = sum_i flow_i - pump;      sum_i beta_i near 1,
 *	zone = pump - A dL/dt
 *
 * beta_i is the slope of a flow's differences on those of a pump's flow: what
 * jumps when the pump starts feeds it; a level that turns then is that of its
 * tank, and its area A the slope of what was pumped on the rise. Continuous flows whose changes oppose each other feed
 * one network. All else is a zone by itself.
 * Reference: mass balance of a district metered area, Farley and Trow 2003,
 * "Losses in water distribution networks", IWA; slopes by least
 * squares, A by reduced major axis (Ricker 1973).
 * Runs on: C. Pure. Frees: nothing. Units: flow and levels as they came; A takes
 * up what lies between.
 */
#ifndef PENSTOCK_MODEL_BALANCE_H
#define PENSTOCK_MODEL_BALANCE_H

#include <stddef.h>

#define BALANCE_MOST 16 /* terms of one zone */

enum balance_kind { BALANCE_FLOW, BALANCE_LEVEL, BALANCE_UNKNOWN };

/* Hourly means, all from the same hour on; NaN: missing. */
struct balance_input {
	const double *x;
	enum balance_kind kind;
};

struct balance_term {
	size_t input;
	double factor;
	int is_rate; /* of its change an hour */
};

struct balance_zone {
	struct balance_term terms[BALANCE_MOST];
	size_t n;
};

/* From hours [0, learn) of each; at most as many zones as inputs. */
size_t balance_zones(const struct balance_input *, size_t n, size_t learn,
    struct balance_zone *ret);
/* Of hour t; NaN if a term is missing. */
double
balance_at(const struct balance_zone *, const struct balance_input *, size_t t);

#endif
