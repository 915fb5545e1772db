/*
 * avro_day: readings as an Avro object container file (deflate), sorted by
 * series and time, with an index of its blocks, so that one series is read
 * without the rest.
 *
 * Runs on: T, C. Frees: what create and open gave, by finish, drop and close;
 * the FILE stays the caller's. Units: µs UTC, canonical unit of the metric.
 * Errors: ERR_INTERNAL with libavro's or the system's words. libavro trusts
 * what it reads (other bytes make it leak, or ask for any amount of memory), so
 * only bytes whose SHA-256 was checked come to it.
 */
#ifndef PENSTOCK_STORE_AVRO_DAY_H
#define PENSTOCK_STORE_AVRO_DAY_H

#include "core/err.h"
#include "domain/reading.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define AVRO_DAY_VERSION 1 /* of the record's schema */
#define AVRO_DAY_SHA	 32
/* Most readings in one block; a test may have smaller ones. */
#ifndef AVRO_DAY_BLOCK
#define AVRO_DAY_BLOCK 16384
#endif

extern const char avro_day_schema[]; /* JSON */

/* The series of the readings put or read; texts are borrowed. */
struct avro_day_series {
	int32_t id;
	const char *node, *metric, *unit;
};

/* A block: what its first reading is, where it begins, what its bytes hash
 * to. The first begins where the file's header ends. */
struct avro_day_block {
	int32_t series;
	int64_t t_us;
	uint64_t offset;
	unsigned char sha256[AVRO_DAY_SHA];
};

struct avro_day_index {
	struct avro_day_block *blocks; /* malloc'd; the caller frees */
	size_t nblocks;
	uint64_t bytes;
	unsigned char sha256[AVRO_DAY_SHA]; /* of the file */
	int64_t readings, series, first_us, last_us;
};

struct avro_day_writer;
/* The file must be empty and readable too. */
enum err
avro_day_create(FILE *, struct avro_day_writer **ret, struct err_info *);
/* What follows is of this series; ids rise. */
enum err avro_day_series(struct avro_day_writer *,
    const struct avro_day_series *, struct err_info *);
enum err avro_day_put(struct avro_day_writer *, const struct reading *,
    size_t n, struct err_info *);
/* Writes what is left and fills the index; the writer is gone either way. */
enum err avro_day_finish(
    struct avro_day_writer *, struct avro_day_index *ret, struct err_info *);
void avro_day_drop(struct avro_day_writer *);

struct avro_day_reader;
/* The name is for messages. sha256: of the whole file, else ERR_INVALID; NULL:
 * the caller checked each block's. */
enum err avro_day_open(FILE *, const char *name,
    const unsigned char sha256[AVRO_DAY_SHA], struct avro_day_reader **ret,
    struct err_info *);
/* The next reading and its series, whose texts live until the next call.
 * *ret_more false: there was none. */
enum err avro_day_next(struct avro_day_reader *, struct avro_day_series *,
    struct reading *ret, bool *ret_more, struct err_info *);
void avro_day_close(struct avro_day_reader *);

#endif
