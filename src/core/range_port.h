/*
 * range_port: readings of one series over time, chunk by chunk, from one
 * tier: Redis (store/hot), PostgreSQL (store/range), archive (store/cold).
 *
 * Runs on: L. The callback runs exactly once, never from inside read(), unless
 * read() itself returned an error, in which case never. The readings live
 * until it returns. Whoever is gone passes a callback that only cleans up.
 */
#ifndef PENSTOCK_CORE_RANGE_PORT_H
#define PENSTOCK_CORE_RANGE_PORT_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reading;

struct range {
	int32_t series;
	int64_t from_us, to_us; /* from <= t < to */
	size_t max;		/* about how many to give at most */
	const char *tag;	/* request id for whoever is asked, or NULL */
};

/*
 * info->code ERR_OK: readings strictly rising in time, of two at one time the
 * first that was stored, and all there are before complete_to_us (> from).
 * Ask again from there until it is to_us. A chunk may be empty, or hold more
 * than max. ERR_CACHE: this tier does not hold the range whole; ask the next.
 */
struct range_part {
	const struct reading *readings;
	size_t n;
	int64_t complete_to_us;
};
typedef void
range_cb(void *arg, const struct range_part *, const struct err_info *info);

struct range_port {
	void *self; /* NULL: there is no such tier */
	enum err (*read)(void *self, const struct range *, range_cb *,
	    void *arg, struct err_info *);
	/* Whether t is in a span that only this tier holds, and where that
	 * (or, if false, where the time up to the next such span) ends.
	 * NULL: never. */
	bool (*only)(
	    void *self, int32_t series, int64_t t_us, int64_t *ret_end_us);
};

#endif
