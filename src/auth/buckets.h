/*
 * buckets: token buckets in memory that all workers share: how much each
 * client may still do. A bucket is one word, the time at which it is full
 * again (GCRA) and a part of its key, changed by compare-and-swap alone: a
 * worker that dies holds nothing. One that is full is as good as none, so its
 * place goes to whoever needs one; where none is full the one that is nearest
 * to it is forgotten, so a crowd of new clients never frees a busy one.
 *
 * Runs on: C; buckets_init in the parent. Frees: nothing. Units: µs of one
 * monotonic clock; were it to step back, a bucket is forgotten or makes wait 10 s
 * longer. Errors: none; of clients that have
 * the same hash (30 bits, keyed) each draws on the other's bucket.
 */
#ifndef PENSTOCK_AUTH_BUCKETS_H
#define PENSTOCK_AUTH_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKETS_SEED 16	     /* bytes, random, secret */
#define BUCKETS_WAYS 8	     /* places that one key may have */
#define BUCKETS_MAX  131072u /* at once, 1 MiB */

struct buckets;

/* A bucket of `burst` that regains one each `every_us`; burst * every_us is its
 * window, of a day at most. */
struct rate {
	int64_t every_us, burst;
};

/* What a draw found. */
struct drawn {
	int64_t left;	 /* in the bucket, after it */
	int64_t wait_us; /* until the next is there; 0 if there are some */
};

/*
 * One bucket by itself: *full_us is when it is full. False: it was empty and
 * nothing was drawn.
 */
bool bucket_draw(int64_t *full_us, const struct rate *, int64_t now_us);

size_t buckets_size(void);
/* On zeroed, shared memory of that size. */
struct buckets *
buckets_init(void *memory, const unsigned char seed[static BUCKETS_SEED]);
/* Up to 128 bytes; what they mean is the caller's. */
uint64_t buckets_key(const struct buckets *, const void *data, size_t len);
/* False: it was empty and nothing was drawn. */
bool buckets_draw(struct buckets *, uint64_t key, const struct rate *,
    int64_t now_us, struct drawn *ret);

#endif
