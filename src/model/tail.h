/*
 * tail: how rare a magnitude is among those that came before it.
 *
 *	P(Z > z) = P(Z > u) (z / u)^(-1/g),  z > u
 *	g = mean of ln(Z / u) over Z > u
 *
 * u is the least of a grid of thresholds that at most 5 % exceed; a histogram
 * over the logarithm of z, halved now and then so that it forgets, gives u,
 * P(Z > u) and g. A dozen values as heavy as g = 1/4 are taken as seen before
 * any came. What enters is bounded, so nothing that was seen is out of reach.
 * References: Hill 1975, "A simple general approach to inference about the
 * tail of a distribution", Ann. Statist. 3(5); Siffer et al. 2017, "Anomaly
 * detection in streams with extreme value theory", KDD (the peaks over a
 * threshold of a stream).
 * Runs on: C. Units: any, z >= 0. No allocation; a value type.
 */
#ifndef PENSTOCK_MODEL_TAIL_H
#define PENSTOCK_MODEL_TAIL_H

#include <stdint.h>

#define TAIL_BINS 80

struct tail {
	uint16_t bins[TAIL_BINS]; /* quarters of a value */
	float total;
	float u, log_u, p_u, slope; /* slope: 1 / g */
	uint32_t due;		    /* readings until u and g are looked at */
};

void tail_init(struct tail *);
/* -log10 P(Z > z), 0 or more; does not learn. */
double tail_rarity(const struct tail *, double z);
/* Learns z; `memory` values, 8000 at most, are remembered with full weight. */
void tail_learn(struct tail *, double z, double memory);

#endif
