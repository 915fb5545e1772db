/*
 * monitor: turns the readings of the log, as they came, into what is stored:
 * segments, roll-ups and the newest value of each series; exactly once.
 *
 * Runs on: C, pure but for telemetry.known(). Frees: nothing; all lives in
 * the arena. Units: canonical; µs UTC. Errors: ERR_NO_MEMORY when the arena
 * is full, and those of the port.
 *
 * Order is (series, event time, arrival); of readings with the same series
 * and time the first to arrive stays (D5). A reading newer than its series'
 * last merged time is new without a look; any other, and any of a series
 * whose state is fresh, is looked up.
 */
#ifndef PENSTOCK_MAPE_MONITOR_H
#define PENSTOCK_MAPE_MONITOR_H

#include "core/ports.h"
#include "domain/reading.h"
#include "domain/series_state.h"

/* One series' run in the batch, strictly rising in time. */
struct group {
	int32_t series;
	size_t at, n; /* in readings */
};

struct batch {
	struct reading *readings;
	size_t n;
	struct group *groups; /* rising by series; none is empty */
	size_t ngroups;
	size_t duplicates; /* within the batch, or stored before */
	size_t late;	   /* new, but not newer than the series' last */
};

/*
 * Sorts and drops repeats. Uses `in` as scratch: its content is lost. The
 * result may live in `in` or in the arena.
 */
enum err monitor_sort(struct arena *, struct reading *in, size_t n,
    struct batch *ret, struct err_info *);
/* Drops what is stored already. states[i] belongs to groups[i], before and
 * after: both lose the same elements. */
enum err monitor_known(struct arena *, const struct telemetry_port *,
    struct batch *, struct series_state **states, struct err_info *);
/*
 * states as for monitor_known(), or NULL: then no roll-up is surely fresh, and
 * none open.
 * Roll-ups count all readings; sum, min, max and sumsq are of the good ones
 * (if there is none: 0, +inf, -inf, 0); first and last are of all.
 */
enum err monitor_build(struct arena *, const struct batch *,
    struct series_state **states, struct merge *ret, struct err_info *);

#endif
