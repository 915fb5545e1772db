/*
 * hot_wire: what hot.h sends to Redis and gets from it, as bytes. Private to
 * src/store/hot*.c.
 *
 * Runs on: C. Frees: nothing. RESP2 (redis.io/docs/reference/protocol-spec).
 * Writers need WIRE_SIZE bytes.
 */
#ifndef PENSTOCK_STORE_HOT_WIRE_H
#define PENSTOCK_STORE_HOT_WIRE_H

#include "domain/reading.h"

#include <stdbool.h>
#include <stddef.h>

struct redisReply;

#define WIRE_KEYS  1024u /* of one command */
#define WIRE_RUNS  32u	 /* questions at once */
#define WIRE_SIZE  (4096u + WIRE_KEYS * 192u)
#define WIRE_VALUE 28u
/* A record with this byte behind it is a least time only: something newer may
 * be in PostgreSQL. Its length tells it. */
#define WIRE_PARTIAL '+'

/* The hash in which the newest value of a series is, at most WIRE_KEY bytes,
 * no NUL; its field is the series. Returns the length. */
#define WIRE_KEY 40u
size_t wire_key(char *, int64_t epoch, int32_t series);
bool wire_same_key(int32_t series, int32_t other);

/* Return the command's length. */
size_t wire_epoch_get(char *buf);
/* Raises ps:epoch to `epoch` if it is lower, then stores what is newer, and
 * the writer's word: one that it never gave before. */
struct wire_batch {
	int64_t epoch;
	uint64_t writer, word;
	const struct reading *readings;
	const bool *whole;
	size_t n;
};
size_t wire_store(char *buf, const struct wire_batch *);
/* The hash of the words of all writers; as long as the other keys. */
size_t wire_words_key(char *, int64_t epoch);
/* Asks for them. */
size_t wire_words_get(char *buf, int64_t epoch);
/* One number for the words of all writers but `own`; another one once any of
 * those wrote. False: nobody knows. */
bool wire_words(const struct redisReply *, uint64_t own, uint64_t *ret);
/* Of series that have the same key. Reply: an array of as many. */
size_t wire_fetch(char *buf, int64_t epoch, const struct reading *, size_t n);

/* The number in a string reply, 0 for anything else. */
int64_t wire_number(const struct redisReply *);
/* Fills all but the series; false for anything but a record, a partial one
 * among them. */
bool
wire_value(const struct redisReply *, struct reading *ret, bool *ret_whole);

#endif
