/*
 * fit: makes forecasts and their models, series by series, from a time of the
 * night on, as long as its budget lasts: first all champions forecast, then
 * who has waited longest learns. A champion that a person has promoted
 * forecasts at once.
 *
 * A job of the offload port is one series learnt, or some that forecast, so
 * that no thread is kept. Of all instances the one works that holds a lock;
 * where a run has come to is in the database, so that another one, or the
 * next start, goes on.
 *
 * Runs on: L; the work on a thread of the offload port. Frees: fit_free(), only
 * once fit_stop() was true. Units: s, ms. Errors: logged; it tries again after
 * a minute.
 */
#ifndef PENSTOCK_APP_FIT_H
#define PENSTOCK_APP_FIT_H

#include "api/api.h"
#include "core/err.h"
#include "core/loop.h"

struct fit;

struct fit_config {
	struct loop *loop;
	struct offload_port offload;
	/* Borrowed. */
	const char *database_url, *zone;
	const char *at; /* "02:00", or "off": it does nothing */
	double budget_s;
	double systems_a_week; /* false alarms, of all systems */
};

/* Whether that is a time, or "off". */
enum err fit_check(const char *at, struct err_info *);
/* NULL if memory is out. */
struct fit *fit_new(const struct fit_config *);
void fit_start(struct fit *);
/* Something was promoted. NULL: nothing. */
void fit_wake(struct fit *);
/* Starts no more; the job in hand goes on. */
void fit_halt(struct fit *);
/* As fit_halt(), and waits for it up to deadline_ms. False: it still runs. */
bool fit_stop(struct fit *, unsigned deadline_ms);
void fit_free(struct fit *);

#endif
