/*
 * shed: how much of what comes a worker can still serve, judged by what waits:
 * readings for their commit, questions for the database, events for the loop.
 *
 * Runs on: L. Frees: shed_free(). Units: µs of the monotonic clock. Errors:
 * NULL if memory is out.
 */
#ifndef PENSTOCK_APP_SHED_H
#define PENSTOCK_APP_SHED_H

#include "api/api.h"
#include "core/loop.h"
#include "core/query.h"

struct shed;

#define SHED_LOOK_MS 100

/* What is looked at; per mille of what each queue may hold. */
struct shed_signals {
	unsigned log;		    /* readings without a commit */
	unsigned lanes[LANE_COUNT]; /* questions without an answer */
	unsigned lag;		    /* of the loop, of what is too much */
};

struct shed_config {
	struct loop *loop;
	int64_t lag_max_us;
	/* Fills all but lag; called each SHED_LOOK_MS. */
	void (*look)(struct shed_signals *);
};

/* What they ask for; pure. *ret_why: the signal, if any. */
enum pressure shed_judge(const struct shed_signals *, const char **ret_why);

struct shed *shed_new(const struct shed_config *);
void shed_free(struct shed *);
/* Right also in the middle of a long turn of the loop. */
enum pressure shed_now(const struct shed *, int64_t now_us);

#endif
