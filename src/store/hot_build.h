/*
 * hot_build: the keeper's side of the hours in Redis (hot.h): which series are
 * whole, building one, packing hours that are over. Blocking.
 *
 * Runs on: T. Frees: hot_build_close(). Units: hours since 1970. Errors:
 * ERR_CACHE: Redis is away or refused; the connection is closed, and opened by
 * the next call.
 */
#ifndef PENSTOCK_STORE_HOT_BUILD_H
#define PENSTOCK_STORE_HOT_BUILD_H

#include "core/err.h"
#include "domain/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUILD_BATCH 512u /* series in one question */
/* A series is built from so many hours before the present one: 48 h, and the
 * rest of the hour that they begin in. */
#define BUILD_HOURS 49

struct hot_build;

/* What a key's index says of its series. */
enum hot_state {
	HOT_ABSENT,
	HOT_BUILDING, /* or left so */
	HOT_DENSE,    /* too many readings: not tried for a while */
	HOT_WHOLE
};
struct hot_index {
	enum hot_state state;
	int32_t since;	   /* whole from this hour on */
	int32_t packed_to; /* hours before it are packed */
	char b[80];	   /* the field of that name */
};
struct hot_memory {
	int64_t used, most; /* bytes; most 0: no bound */
};

/* Borrows the address. NULL: no memory. */
struct hot_build *hot_build_new(const char *address);
void hot_build_free(struct hot_build *);
void hot_build_close(struct hot_build *);
enum err
hot_build_memory(struct hot_build *, struct hot_memory *, struct err_info *);
/* The epoch in Redis, 0 if none, and whether the switch is on in it. */
enum err hot_build_switch(
    struct hot_build *, int64_t *ret_epoch, bool *ret_on, struct err_info *);
/* On, by a name that never was, unless the epoch is another by now. */
enum err hot_build_on(
    struct hot_build *, int64_t epoch, bool *ret_on, struct err_info *);
enum err hot_build_off(struct hot_build *, struct err_info *);
/* Of n <= BUILD_BATCH series. */
enum err hot_build_look(struct hot_build *, const int32_t *series, size_t n,
    struct hot_index *ret, struct err_info *);
/* Deletes what is there of n <= BUILD_BATCH series and marks them as being
 * built since `hour`. */
enum err hot_build_begin(struct hot_build *, const int32_t *series, size_t n,
    int32_t hour, struct err_info *);
/* All readings of the series since that hour, strictly rising. False in *ret:
 * the mark has gone. */
struct hot_run {
	int32_t series;
	const struct reading *readings;
	size_t n;
	int32_t packed_to; /* hours before it are over */
};
enum err hot_build_finish(
    struct hot_build *, const struct hot_run *, bool *ret, struct err_info *);
enum err hot_build_dense(struct hot_build *, int32_t series, struct err_info *);
/* Packs the hours from index->packed_to up to `to` (excluded). */
enum err hot_build_pack(struct hot_build *, int32_t series,
    const struct hot_index *, int32_t to, struct err_info *);
/* Deletes some hours of any series, while the switch is off; false in *ret: it
 * was the end of a round. */
enum err hot_build_sweep(struct hot_build *, bool *ret, struct err_info *);

#endif
