/*
 * hot_keep: keeps the hours in Redis whole (hot.h): builds in the background,
 * from PostgreSQL, every series that is not, packs hours that are over, and
 * turns the hours off while Redis is nearly full. One keeper for all
 * instances, by an advisory lock; slow on purpose: it works a third of the
 * time at most.
 *
 * Runs on: L; its steps on T, with connections of their own. Frees:
 * hot_keeper_free(), which a running step outlives. Errors: logged, tried
 * again.
 */
#ifndef PENSTOCK_STORE_HOT_KEEP_H
#define PENSTOCK_STORE_HOT_KEEP_H

#include "core/loop.h"
#include "store/hot.h"

struct hot_keeper;

struct hot_keeper_config {
	struct loop *loop;
	/* As api.h's offload port. */
	enum err (*run)(
	    void *self, void (*work)(void *), void (*done)(void *), void *arg);
	void *run_self;
	const char *conninfo, *redis_address; /* borrowed */
	struct hot_shared *shared;
	unsigned quiet_ms; /* before hours are kept anew; 0: 3 s */
	unsigned pass_ms;  /* between looks at all series; 0: 10 s */
};

struct hot_keeper *hot_keeper_new(const struct hot_keeper_config *);
/* Begins no further step, and ends the one that waits for PostgreSQL. */
void hot_keeper_stop(struct hot_keeper *);
void hot_keeper_free(struct hot_keeper *);

#endif
