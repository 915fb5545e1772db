/*
 * flatline: a sensor that says exactly the same for too long.
 *
 *	flat:  x(t) = x(t0) at every reading of [t0, t],  t - t0 >= span
 *
 * A gap longer than the whole span proves nothing: the run starts again.
 * Reference: WMO-No. 8 (2018), vol. V, quality control of data: temporal
 * consistency, minimum required variability (persistence test).
 * Runs on: C. Units: µs of event time. Errors: none.
 */
#ifndef PENSTOCK_MODEL_FLATLINE_H
#define PENSTOCK_MODEL_FLATLINE_H

#include "domain/series_state.h"

/*
 * Judges (value, t_us) against the state's last reading and moves
 * flat_since_us; the caller moves last_us and last_value afterwards.
 */
bool flatline_judge(
    int64_t span_us, struct series_state *, double value, int64_t t_us);

#endif
