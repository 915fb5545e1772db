/*
 * rollup: what the readings of one series add to its buckets of 5 minutes, an
 * hour and a day.
 *
 * Runs on: C. Pure. Frees: nothing. Units: canonical; µs UTC, buckets begin
 * at multiples of their width since 1970. count, first and last are of all
 * readings; good, sum, min, max and sumsq of the good ones (if there is none:
 * 0, 0, +inf, -inf, 0).
 */
#ifndef PENSTOCK_DOMAIN_ROLLUP_H
#define PENSTOCK_DOMAIN_ROLLUP_H

#include "core/ports.h"
#include "domain/reading.h"

#include <stddef.h>

#define ROLLUP_WIDTHS 3

extern const int32_t rollup_widths_s[ROLLUP_WIDTHS];

/* How many buckets of all widths n readings of one series touch, and how many
 * of them are days. Times do not fall. */
size_t rollup_count(const struct reading *, size_t n, size_t *ret_days);
/* Those of one width, rising in time; returns the place behind the last. */
struct rollup *rollup_width(
    struct rollup *to, const struct reading *, size_t n, int32_t width_s);
/* Writes rollup_count() of them, width by width, rising in time; returns the
 * place behind the last. */
struct rollup *
rollup_readings(struct rollup *to, const struct reading *, size_t n);

/* The same readings as part of a wider bucket. */
struct rollup rollup_widen(const struct rollup *, int32_t width_s);

/* Those of one bucket become one: they are of different readings, so they add
 * up. In order of series, width and bucket then; returns how many. */
size_t rollup_join(struct rollup *, size_t n);

#endif
