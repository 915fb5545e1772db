/*
 * threshold: an alarm level with dead band and delays, in event time.
 *
 *	set:    x beyond `set` at every reading over at least on_delay
 *	clear:  x back past `clear` at every reading over at least off_delay
 *
 * Reference: IEC 62682:2014 / ISA-18.2, alarm deadband, on-delay, off-delay.
 * Runs on: C. Units: the series' own; µs. Errors: none.
 */
#ifndef PENSTOCK_MODEL_THRESHOLD_H
#define PENSTOCK_MODEL_THRESHOLD_H

#include "domain/series_state.h"
#include "model/verdict.h"

enum verdict threshold_judge(
    const struct threshold *, struct level_state *, double value, int64_t t_us);
bool threshold_is_open(const struct level_state *);

#endif
