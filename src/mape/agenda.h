/*
 * agenda: when each of many series is to be looked at next; what is due is
 * found without a look at the others.
 *
 * Runs on: C. Frees: agenda_done(). Units: µs. Errors: false without memory.
 */
#ifndef PENSTOCK_MAPE_AGENDA_H
#define PENSTOCK_MAPE_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agenda {
	struct agenda_item {
		int64_t at_us;
		int32_t series;
	} * items; /* a heap: none before the one at half its place */
	size_t n, room;
};

void agenda_done(struct agenda *);
/* Empties it; so many can be put afterwards. */
bool agenda_clear(struct agenda *, size_t room);
/* There is room. */
void agenda_put(struct agenda *, int32_t series, int64_t at_us);
/* Takes the earliest away if its time has come. */
bool agenda_take(struct agenda *, int64_t now_us, int32_t *ret_series);

#endif
