/*
 * packed_rollup: roll-ups of one series and width, rising in time, as bytes:
 * the form of `rollups_packed.data`.
 *
 * Runs on: C. Pure. Frees: nothing; buffers are the caller's. Units: as
 * domain/rollup.h. Exact: what comes out is bit for bit what went in, but for
 * sum, min, max and sumsq of a bucket without good readings, which come out
 * as domain/rollup.h has them. Errors: ERR_INTERNAL for bytes that
 * packed_rollup_encode() cannot have written: nothing is read or written out
 * of bounds.
 *
 * The SQL function packed_rollups() decodes the same bytes; a test keeps both
 * equal. One row holds a span: of 5 minutes a UTC day, of hours a month, of
 * days a year.
 */
#ifndef PENSTOCK_DOMAIN_PACKED_ROLLUP_H
#define PENSTOCK_DOMAIN_PACKED_ROLLUP_H

#include "core/err.h"
#include "core/ports.h"

#include <stddef.h>

#define PACKED_ROLLUP_MAX 744 /* hours of a month */

/* When the span that holds t begins; `spans` later, if not 0. */
int64_t packed_rollup_span(int32_t width_s, int64_t t_us, int spans);

/* Bytes that n roll-ups take at most. */
size_t packed_rollup_bound(size_t n);
/* Returns how many bytes it wrote. 1 <= n <= PACKED_ROLLUP_MAX. Takes 150 KB
 * of stack. */
size_t packed_rollup_encode(const struct rollup *, size_t n, void *ret);
/* How many roll-ups the bytes hold, 0 if they are none of ours. */
size_t packed_rollup_count(const void *, size_t len);
/* ret has room for packed_rollup_count(). */
enum err packed_rollup_decode(const void *, size_t len, int32_t series,
    int32_t width_s, struct rollup *ret);
/* Half the work: buckets, counts, sum, min and max alone. */
enum err packed_rollup_sums(const void *, size_t len, struct rollup *ret);

#endif
