/*
 * fit_system: learns one zone as a system (model/system.h): at night, between
 * forecasting and learning series (app/fit.h), where there is no model, its
 * series or rules changed, or the model is a week old.
 *
 * Runs on: T. Frees: nothing. Units: µs UTC. Errors: those of the database are
 * the caller's to act on; what is wrong with the zone is noted as the reason
 * why it is not judged.
 */
#ifndef PENSTOCK_APP_FIT_SYSTEM_H
#define PENSTOCK_APP_FIT_SYSTEM_H

#include "core/arena.h"
#include "store/warm_systems.h"

struct fit_system {
	struct warm *warm;
	struct arena *arena;	  /* emptied */
	int64_t began_us, now_us; /* the night; now */
	double a_week;		  /* false alarms, of all systems; 0: unsaid */
};

/* *ret_any: there was one, learnt or not. */
enum err
fit_system_next(const struct fit_system *, bool *ret_any, struct err_info *);

#endif
