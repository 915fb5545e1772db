/*
 * calendar: holidays as forecasts know them: days, and which of them are the
 * same feast of different years.
 *
 * Runs on: C. Pure. Frees: nothing. Units: days since 1970-01-01 of the
 * network's clock. Errors: none.
 */
#ifndef PENSTOCK_DOMAIN_CALENDAR_H
#define PENSTOCK_DOMAIN_CALENDAR_H

#include <stddef.h>
#include <stdint.h>

struct calendar_day {
	int32_t day, feast;
};

/* Equal for days of one name; without a name (NULL, "") of one month and day
 * of it. */
int32_t calendar_feast(const char *name, int32_t day);
/* Rising, each day once; returns how many. */
size_t calendar_sort(struct calendar_day *, size_t n);

#endif
