/*
 * pack: values as bytes and back by one walk: little-endian words of 8 bytes,
 * of 4 where it says so, the same on every machine. A walk that reads stops at
 * the first thing that is not as it must be, and leaves the rest alone.
 *
 * Runs on: C. Frees: nothing; what is written goes to a text of the caller's.
 * Errors: pack_ok().
 */
#ifndef PENSTOCK_MODEL_PACK_H
#define PENSTOCK_MODEL_PACK_H

#include "core/text.h"

struct pack {
	struct text *to; /* NULL: reads */
	const unsigned char *at, *end;
	bool failed;
};

void pack_word(struct pack *, uint64_t *);
void pack_half(struct pack *, uint32_t *);
void pack_doubles(struct pack *, double *, size_t n);
void pack_instant(struct pack *, int64_t *);
void pack_bool(struct pack *, bool *);
/* Fails for more than `most`. */
void pack_count(struct pack *, size_t *, size_t most);
/* Text of `size` bytes with its end. */
void pack_name(struct pack *, char *, size_t size);
/* Whether reads are left with that many bytes; fails if not. */
bool pack_room(struct pack *, size_t bytes);
/* Nothing failed, and what was read is at its end. */
bool pack_ok(const struct pack *);

#endif
