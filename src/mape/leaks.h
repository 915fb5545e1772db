/*
 * leaks: judges the inflow of areas hour by hour (model/leak.h) and opens,
 * carries on or clears anomalies of type leak. An area is a zone whose meters
 * the links tell, or one meter by itself; the anomaly is of its first meter.
 *
 * Runs on: T, a unit of work of its own. Frees: leaks_done(). Units: as
 * core/leak_port.h. Errors: those of the ports, ERR_NO_MEMORY; then nothing
 * was kept.
 *
 * An hour is judged once, LEAKS_LAG_US after its end at the earliest, and not
 * before its meters told of a later one. Rule ids: "leak:step", "leak:growth".
 */
#ifndef PENSTOCK_MAPE_LEAKS_H
#define PENSTOCK_MAPE_LEAKS_H

#include "core/instant.h"
#include "core/leak_port.h"
#include "core/ports.h"

#define LEAKS_LAG_US  (2 * US_PER_HOUR)
#define LEAKS_BACK_US (100 * US_PER_DAY) /* the first look goes back so far */

struct leaks {
	struct arena arena;  /* emptied each time */
	struct arena around; /* emptied for each leak that is told */
	int64_t raised, cleared, areas;
};

void leaks_init(struct leaks *);
void leaks_done(struct leaks *);
/* Some of the areas that are due; the counts tell of this call. No areas: none
 * is due. */
enum err leaks_judge(struct leaks *, const struct ports *,
    const struct leak_port *, int64_t knowledge_version, struct err_info *);

#endif
