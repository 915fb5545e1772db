/*
 * rate: change per minute between two readings that follow each other.
 *
 *	r = (x1 - x0) / (t1 - t0);  high if r > limit, low if r < -limit
 *
 * Reference: WMO-No. 8 (2018), vol. V, quality control of data: temporal
 * consistency, maximum allowed variability of an instantaneous value.
 * Runs on: C. Units: series' unit per minute; µs. Errors: none.
 */
#ifndef PENSTOCK_MODEL_RATE_H
#define PENSTOCK_MODEL_RATE_H

#include "domain/series.h"

/* t1_us > t0_us. */
double rate_per_min(double x0, int64_t t0_us, double x1, int64_t t1_us);
/* DIRECTION_NONE: within the limit. */
enum direction rate_judge(double limit_per_min, double rate);

#endif
