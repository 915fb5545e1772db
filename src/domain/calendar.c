#include "domain/calendar.h"

#include <stdlib.h>

/* Of a year that begins with March, so that the leap day is its last (Fliegel
 * and Van Flandern 1968, CACM 11(10)). */
static int32_t
month_and_day(int32_t day)
{
	const int64_t n = (int64_t)day + 719468; /* since 0000-03-01 */
	const int64_t in_era = (n % 146097 + 146097) % 146097;
	const int64_t year =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	const int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	const int64_t month = (5 * in_year + 2) / 153;

	return ((int32_t)((month < 10 ? month + 3 : month - 9) * 32 + in_year -
	    (153 * month + 2) / 5 + 1));
}

/* FNV-1a of a name, not below zero; all else is. */
int32_t
calendar_feast(const char *name, int32_t day)
{
	uint32_t h = 2166136261U;

	if (name == NULL || *name == '\0')
		return (-month_and_day(day));
	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return ((int32_t)(h >> 1));
}

static int
by_day(const void *a, const void *b)
{
	const struct calendar_day *x = a, *y = b;

	return ((x->day > y->day) - (x->day < y->day));
}

size_t
calendar_sort(struct calendar_day *d, size_t n)
{
	size_t i, kept = 0;

	if (n > 1)
		qsort(d, n, sizeof(*d), by_day);
	for (i = 0; i < n; i++)
		if (kept == 0 || d[i].day != d[kept - 1].day)
			d[kept++] = d[i];
	return (kept);
}
