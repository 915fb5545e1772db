#include "auth/buckets.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#define SETS	  (BUCKETS_MAX / BUCKETS_WAYS)
#define TIME_BITS 48
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define LONGEST	  (INT64_C(2) * 86400 * 1000000) /* more than any window */
#define SKEW	  INT64_C(10000000) /* between the times of two workers' draws */

/* One cache line. */
struct set {
	_Alignas(64) _Atomic uint64_t word[BUCKETS_WAYS];
};

struct buckets {
	unsigned char seed[BUCKETS_SEED];
	struct set sets[SETS];
};

_Static_assert(sizeof(struct set) == 64, "a set is one cache line");
_Static_assert(BUCKETS_SEED == crypto_shorthash_KEYBYTES, "SipHash's key");

/* How long from now; times are kept modulo 2^48 µs, nearly nine years. */
static int64_t
until(uint64_t word, int64_t now_us)
{
	return ((int64_t)((word - (uint64_t)now_us) << (64 - TIME_BITS)) >>
	    (64 - TIME_BITS));
}

static uint64_t
pack(uint64_t tag, int64_t full_us)
{
	return (tag << TIME_BITS | ((uint64_t)full_us & TIME_MASK));
}

/* How long until it is full. What no draw of this limit explains was left by a
 * clock that has stepped since, and is forgotten. */
static int64_t
debt(int64_t ahead_us, const struct rate *r)
{
	int64_t most = r->burst * r->every_us;

	if (ahead_us < 0 || ahead_us > most + SKEW)
		return (0);
	return (ahead_us > most ? most : ahead_us);
}

static int64_t
wait_of(int64_t debt_us, const struct rate *r)
{
	int64_t wait = debt_us - (r->burst - 1) * r->every_us;

	return (wait > 0 ? wait : 0);
}

static void
tell(int64_t debt_us, const struct rate *r, struct drawn *ret)
{
	ret->left = r->burst - (debt_us + r->every_us - 1) / r->every_us;
	ret->wait_us = wait_of(debt_us, r);
}

bool
bucket_draw(int64_t *full_us, const struct rate *r, int64_t now_us)
{
	int64_t owed = debt(*full_us - now_us, r);

	if (wait_of(owed, r) > 0)
		return (false);
	*full_us = now_us + owed + r->every_us;
	return (true);
}

size_t
buckets_size(void)
{
	return (sizeof(struct buckets));
}

struct buckets *
buckets_init(void *memory, const unsigned char seed[static BUCKETS_SEED])
{
	struct buckets *b = memory;

	memcpy(b->seed, seed, sizeof(b->seed));
	return (b);
}

uint64_t
buckets_key(const struct buckets *b, const void *data, size_t len)
{
	unsigned char hash[crypto_shorthash_BYTES];
	uint64_t key;

	(void)crypto_shorthash(hash, data, len, b->seed);
	memcpy(&key, hash, sizeof(key));
	return (key);
}

/* Never 0, so that an empty place is nobody's. */
static uint64_t
tag_of(uint64_t key)
{
	uint64_t tag = key >> TIME_BITS;

	return (tag != 0 ? tag : 1);
}

/* -1: it has no place. */
static int
find(const struct set *s, uint64_t tag, uint64_t *ret)
{
	for (int i = 0; i < BUCKETS_WAYS; i++) {
		*ret = atomic_load_explicit(&s->word[i], memory_order_relaxed);
		if (*ret >> TIME_BITS == tag)
			return (i);
	}
	return (-1);
}

/* The place to give away: one that is full, or nearest to it. */
static int
spare(const struct set *s, int64_t now_us, uint64_t *ret)
{
	int64_t least = INT64_MAX, ahead;
	uint64_t word;
	int best = 0;

	for (int i = 0; i < BUCKETS_WAYS; i++) {
		word = atomic_load_explicit(&s->word[i], memory_order_relaxed);
		ahead = until(word, now_us);
		if (word == 0 || ahead > LONGEST)
			ahead = 0; /* no limit explains it: the clock did */
		if (ahead >= least)
			continue;
		least = ahead;
		best = i;
		*ret = word;
	}
	return (best);
}

bool
buckets_draw(struct buckets *b, uint64_t key, const struct rate *r,
    int64_t now_us, struct drawn *ret)
{
	struct set *s = &b->sets[key % SETS];
	uint64_t tag = tag_of(key), word;
	int64_t owed;
	int i;

	do {
		if ((i = find(s, tag, &word)) >= 0)
			owed = debt(until(word, now_us), r);
		else {
			i = spare(s, now_us, &word);
			owed = 0;
		}
		if (wait_of(owed, r) > 0) {
			tell(owed, r, ret);
			return (false);
		}
		owed += r->every_us;
	} while (!atomic_compare_exchange_weak_explicit(&s->word[i], &word,
	    pack(tag, now_us + owed), memory_order_relaxed,
	    memory_order_relaxed));
	tell(owed, r, ret);
	return (true);
}
