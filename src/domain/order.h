/*
 * order: readings by (series, event time), stable: of two with the same key
 * the one that came first stays first.
 *
 * Runs on: C. Pure. Frees: nothing. Readings that came in order cost one look.
 */
#ifndef PENSTOCK_DOMAIN_ORDER_H
#define PENSTOCK_DOMAIN_ORDER_H

#include "domain/reading.h"

#include <stddef.h>

/* `a` and `b` have room for n; the content is in `a`. Returns the one of
 * them that holds it in order; the other is scratch. */
struct reading *order_readings(struct reading *a, struct reading *b, size_t n);
/* Where the run of the series at `at` ends. */
size_t order_series_end(const struct reading *, size_t at, size_t n);

#endif
