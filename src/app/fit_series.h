/*
 * fit_series: one series of a night: how its forecasts came, the next one, and
 * a model that challenges the champion.
 *
 * Runs on: T. Frees: fit_series_done(). Units: µs UTC, hours. Errors: those of
 * the database are the caller's to act on; what is wrong with the series alone
 * is noted as the reason why there is no forecast.
 */
#ifndef PENSTOCK_APP_FIT_SERIES_H
#define PENSTOCK_APP_FIT_SERIES_H

#include "core/arena.h"
#include "store/warm_forecasts.h"

#include <stdatomic.h>

struct fit_series {
	struct warm *warm; /* borrowed */
	struct forecasts_zone zone;
	struct forecasts_calendar holidays;
	struct forecasts_run run;
	int64_t now_us;
	const atomic_bool *stopping; /* borrowed */
	struct arena data, scratch;
	struct fit_room *room;
};

/* False if memory is out. */
bool fit_series_init(struct fit_series *, struct warm *, const atomic_bool *);
void fit_series_done(struct fit_series *);
/* From which time on the zone must be known, and until when. */
void fit_series_span(int64_t now_us, int64_t *ret_from_us, int64_t *ret_to_us);
enum err fit_series_do(
    struct fit_series *, int32_t series, bool learn, struct err_info *);

#endif
