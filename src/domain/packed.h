/*
 * packed: readings of one series, strictly rising in time, as bytes: the form
 * of `segments.data`, of imports and of what is read back.
 *
 * Runs on: C. Pure. Frees: nothing; buffers are the caller's. Units: µs UTC,
 * canonical unit of the metric. Exact: what comes out is bit for bit what
 * went in, NAN payloads and -0.0 included; the series is not in the bytes.
 * Errors: ERR_INTERNAL for bytes that packed_encode() cannot have written,
 * whatever they are: the decoder never reads or writes out of bounds.
 *
 * version (1 byte = 1), varint n, then four columns: event time, value,
 * quality, receive time. The column format is described in packed.c and in
 * the SQL function packed_readings() of migration 0009, which decodes the
 * same bytes; a test keeps both equal.
 */
#ifndef PENSTOCK_DOMAIN_PACKED_H
#define PENSTOCK_DOMAIN_PACKED_H

#include "core/err.h"
#include "domain/reading.h"

#include <stddef.h>

#define PACKED_MAX 65536 /* readings in one packed run */

/* Bytes that n readings take at most. */
size_t packed_bound(size_t n);
/* Writes at most packed_bound(n) bytes, returns how many. 1 <= n <=
 * PACKED_MAX, strictly rising times. */
size_t packed_encode(const struct reading *, size_t n, void *ret);
/* How many readings the bytes hold, 0 if they are none of ours. */
size_t packed_count(const void *, size_t len);
/* ret has room for packed_count(); `series` is put into each. */
enum err
packed_decode(const void *, size_t len, int32_t series, struct reading *ret);

#endif
