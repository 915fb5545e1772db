/*
 * verify: did the water do what the plan promised?
 *
 *	worked: effect >= least, and its span of 95 % lies beyond 0
 *	worse:  the same the other way;  no_effect: less than least
 *
 * with effect and span of model/effect.h, towards effect_direction. Before:
 * the span until the first command was sent, and none of it before the anomaly
 * began, as what was still well is not what the plan is to mend; after: the
 * effect window, once the dwell since the last command's execution is over. The
 * control was chosen when the plan was proposed.
 *
 * Not provable, with the reason, is: what names no effect series or no
 * direction; windows, of the series or of its control, with fewer good
 * readings than VERIFY_READINGS or than VERIFY_SHARE of what the cadence
 * promises, so one that was acted on at once; and a change of the least size or more that its span does not tell
 * from none. Judged once the data of both reach the end of the window, or
 * another window later without them.
 * Runs on: C, inside a unit of work. Units: the series' own; µs.
 */
#ifndef PENSTOCK_MAPE_VERIFY_H
#define PENSTOCK_MAPE_VERIFY_H

#include "domain/plan.h"
#include "domain/series.h"
#include "mape/act.h"
#include "model/effect.h"

#define VERIFY_READINGS 3
#define VERIFY_SHARE	0.5

struct verify_evidence {
	const struct series *series, *control; /* NULL: none, or retired */
	int64_t before_us[2], after_us[2];     /* from, to */
	bool is_cut; /* before the anomaly's begin there would be more */
	struct effect_windows windows;
	struct effect_estimate estimate; /* once judged by it */
	bool estimated;
	const char *reason; /* NULL: it could be judged */
};

/* Of the windows, by the plan; sets estimate and reason. */
enum plan_event verify_judge(const struct plan *, struct verify_evidence *);
enum err verify_plans(struct act *);

#endif
