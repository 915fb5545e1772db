/*
 * warm_leaks: core/leak_port.h on the loop's connection, from the roll-ups of
 * hours.
 *
 * Runs on: T. Frees: nothing; what take() gave is valid until the next. Units:
 * as core/leak_port.h. Errors: as store/warm.h; ERR_INVALID: PostgreSQL does
 * not know the time zone.
 */
#ifndef PENSTOCK_STORE_WARM_LEAKS_H
#define PENSTOCK_STORE_WARM_LEAKS_H

#include "core/leak_port.h"
#include "store/warm.h"

struct leak_slot;

struct warm_leaks {
	struct warm *warm;
	const char *zone; /* IANA, of the network's clock */
	/* Of the areas taken last, in the caller's arena. */
	struct leak_area *areas;
	const char **members, **signs; /* as text */
	struct leak_slot *slots;       /* by series */
	size_t nareas, nslots;
	int64_t *clock; /* hours of the wall, from clock_us on */
	int64_t clock_us;
	size_t nclock;
	int64_t look_us, sweep_us; /* monotonic: not before */
};

/* The caller has set warm and zone. */
struct leak_port warm_leaks(struct warm_leaks *);

#endif
