/*
 * instant: a point in time, int64 microseconds since 1970-01-01T00:00:00Z.
 *
 * Runs on: C. Frees: nothing. Exact integer arithmetic, proleptic Gregorian
 * calendar, no leap seconds (second 60 is read as the next second's 0).
 */
#ifndef PENSTOCK_CORE_INSTANT_H
#define PENSTOCK_CORE_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTANT_NONE  INT64_MIN
#define US_PER_SECOND INT64_C(1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR   (3600 * US_PER_SECOND)
#define US_PER_DAY    (86400 * US_PER_SECOND)
#define INSTANT_TEXT  33 /* room for the longest text and its NUL */

/*
 * RFC 3339 section 5.6 date-time; 'T' or ' ' between, 'Z' or +hh:mm, up to
 * nine fraction digits (beyond six are cut). The whole of [s, s+len) must be
 * the time. Years 0001-9999. False if it is not one.
 */
bool instant_parse(const char *s, size_t len, int64_t *ret_us);
/* "2026-11-20T09:27:04Z", with ".123456" only if it is not a whole second. */
size_t instant_format(int64_t t_us, char buf[static INSTANT_TEXT]);
/* Floor to a multiple of width_us since the epoch (also before 1970). */
int64_t instant_floor(int64_t t_us, int64_t width_us);
/* When the UTC month of t began; `months` later, if not 0. */
int64_t instant_month(int64_t t_us, int months);
/* The same of years. */
int64_t instant_year(int64_t t_us, int years);
/* Civil date in UTC to instant. */
int64_t instant_from_civil(int year, int month, int day, int64_t us_of_day);

#endif
