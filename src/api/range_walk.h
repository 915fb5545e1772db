/*
 * range_walk: readings of one series from one time to another, chunk by
 * chunk, whatever tier holds them: archived spans from the archive, what is
 * newer from the hot tier if it holds all of it, everything else from
 * PostgreSQL.
 *
 * Runs on: L. Frees: nothing; lives in the request's arena. The request is
 * held while a chunk is under way; for a client that left nothing is called.
 * Units: µs UTC. Errors: what the tier said, through the callback, which may
 * then run from inside range_walk_next().
 */
#ifndef PENSTOCK_API_RANGE_WALK_H
#define PENSTOCK_API_RANGE_WALK_H

#include "api/request.h"
#include "domain/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIER_HOT  1u
#define TIER_WARM 2u
#define TIER_COLD 4u

/* Readings rise in time and live until it returns. info->code ERR_OK: they
 * are all there are before walk->at_us. */
typedef void range_walk_cb(struct request *, const struct reading *, size_t n,
    const struct err_info *info);

struct range_walk {
	/* The caller's. */
	struct request *r;
	int32_t series;
	int64_t at_us, to_us; /* what is still to come */
	size_t max;	      /* about how many at once */
	range_walk_cb *cb;
	/* What has answered so far. */
	unsigned tiers;
	/* Its own. */
	bool not_hot;
	unsigned asked;
};

/* Not when it is done. */
void range_walk_next(struct range_walk *);
/* "hot", "warm", "cold", or "mixed". */
const char *range_tiers_name(unsigned tiers);

static inline bool
range_walk_done(const struct range_walk *w)
{
	return (w->at_us >= w->to_us);
}

#endif
