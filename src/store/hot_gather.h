/*
 * hot_gather: what waits to be appended to Redis, by series and hour, in order
 * of first arrival. Private to src/store/hot*.c.
 *
 * Runs on: L. Frees: gather_done(). Bounded: GATHER_READINGS; beyond that or
 * without memory the gather has a hole and holds nothing until gather_clear().
 */
#ifndef PENSTOCK_STORE_HOT_GATHER_H
#define PENSTOCK_STORE_HOT_GATHER_H

#include "domain/hour.h"

#include <stdbool.h>

#define GATHER_READINGS 262144u
#define GATHER_GROUPS	131072u

/* Hours of groups that append nothing. */
#define GATHER_FLOOR  INT32_MIN	      /* readings too old were passed over */
#define GATHER_FORGET (INT32_MIN + 1) /* written by somebody else */

struct gather_group {
	int32_t series, hour;
	int32_t floor; /* of GATHER_FLOOR: newest hour passed over */
	uint32_t n, first, last;
};

struct gather {
	struct gather_record {
		uint32_t next; /* of its group */
		unsigned char bytes[HOUR_RECORD];
	} * records;
	struct gather_group *groups;
	uint32_t *map; /* group + 1, 0: free; twice as many as groups_size */
	size_t n, size, ngroups, groups_size;
	bool hole;
};

void gather_done(struct gather *);
void gather_clear(struct gather *);
bool gather_empty(const struct gather *);
/* Readings of hours before `oldest` are passed over. */
void gather_readings(
    struct gather *, const struct reading *, size_t, int32_t oldest);
void gather_forget(struct gather *, int32_t series);
/* Drops all that is held: something will be missing. */
void gather_hole(struct gather *);
/* Copies the group's records, in order of arrival, from record *at on (first:
 * group->first) up to `most`; *at is where to go on. Returns how many. */
size_t gather_copy(
    const struct gather *, uint32_t *at, size_t most, unsigned char *ret);

#endif
