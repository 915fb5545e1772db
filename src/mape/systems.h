/*
 * systems: judges the signals of each zone jointly, step by step
 * (model/system.h), and opens, carries on or clears an anomaly of type joint
 * or manipulation, one per zone, of the series that tells most when it begins.
 *
 * Runs on: T, a unit of work of its own per zone. Frees: systems_done().
 * Units: as core/system_port.h. Errors: those of the ports, ERR_NO_MEMORY; of
 * the zone at hand nothing was kept then.
 *
 * A step is judged once it is over and its series were heard after it. What is
 * remembered is kept for the last whole hour: steps since then are judged
 * again, silently, so that a start anew goes on as if nothing had been.
 * Rule ids: "system:joint" and the other rules of model/system.h.
 */
#ifndef PENSTOCK_MAPE_SYSTEMS_H
#define PENSTOCK_MAPE_SYSTEMS_H

#include "core/instant.h"
#include "core/ports.h"
#include "core/system_port.h"

#define SYSTEMS_KEEP_US US_PER_HOUR
#define SYSTEMS_CALM	6 /* steps in a row after which it is over */
#define SYSTEMS_DUE	50

struct systems {
	struct arena arena; /* emptied for each zone */
	int64_t raised, cleared, judged, void_states;
	int32_t due[SYSTEMS_DUE]; /* zones */
	size_t ndue;
};

void systems_init(struct systems *);
void systems_done(struct systems *);
/* One of the zones that are due; the counts tell of this call. After an error
 * the next call goes on with another. */
enum err systems_judge(struct systems *, const struct ports *,
    const struct system_port *, int64_t knowledge_version, bool *ret_any,
    struct err_info *);

#endif
