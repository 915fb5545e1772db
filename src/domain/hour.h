/*
 * hour: the readings of one series and one UTC hour as one string of bytes
 * that grows by appending: the hot tier's form.
 *
 * Big-endian. Head: uint32 length of a packed run (domain/packed.h), then that
 * run, then records of HOUR_RECORD bytes as they came: uint32 µs since the
 * hour began, binary64 value, int16 quality, int48 receive time in ms.
 *
 * Runs on: C. Pure. Frees: nothing. Units: hours since 1970, µs UTC. Receive
 * times are rounded up to the ms, as they are stored everywhere. Errors: of
 * hour_decode_all(), which never reads or writes out of bounds.
 */
#ifndef PENSTOCK_DOMAIN_HOUR_H
#define PENSTOCK_DOMAIN_HOUR_H

#include "core/err.h"
#include "domain/packed.h"
#include "domain/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOUR_HEAD   4u
#define HOUR_RECORD 20u
#define HOUR_MAX    PACKED_MAX /* readings in one string */

int32_t hour_of(int64_t t_us);
/* Writes one record of the reading's own hour. */
void hour_record(const struct reading *, unsigned char *ret);
/* How many readings the bytes hold, repeated ones included; 0 if they are
 * none of ours. */
size_t hour_count(const void *, size_t len);
/*
 * All readings by time; what is there twice stands twice. `room` holds twice
 * hour_count() readings, the result lies in it. ERR_INTERNAL: none of our
 * bytes.
 */
struct hour_key {
	int32_t series, hour;
};
enum err hour_decode_all(const void *, size_t len, struct hour_key,
    struct reading *room, struct reading **ret, size_t *ret_n);
/*
 * Leaves each time once. What two workers took at once is one reading, the
 * first received; *ret_twice tells that there is such a one: PostgreSQL may
 * have kept the other's receive time. ERR_CONFLICT: two values or qualities at
 * one time; which of them is right PostgreSQL knows.
 */
enum err hour_settle(struct reading *, size_t *n, bool *ret_twice);
/* Both. */
enum err hour_decode(const void *, size_t len, struct hour_key,
    struct reading *room, struct reading **ret, size_t *ret_n);
/* The whole hour as a packed run; writes at most hour_bound(n) bytes, returns
 * how many. Readings as of hour_decode(), 1 <= n <= HOUR_MAX. */
size_t hour_bound(size_t n);
size_t hour_encode(const struct reading *, size_t n, void *ret);

#endif
