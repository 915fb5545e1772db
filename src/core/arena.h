/*
 * arena: bump allocation with a cap; everything is freed at once.
 *
 * Runs on: C. Frees: arena_done() frees all that came from it. Units: bytes.
 * Errors: NULL when the cap is reached or memory is out; never aborts.
 * One arena per request, one per cycle (house rule 7).
 */
#ifndef PENSTOCK_CORE_ARENA_H
#define PENSTOCK_CORE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used, cap;
};

void arena_init(struct arena *, size_t cap);
void arena_done(struct arena *);
/* Empty it, keeping the first block for the next use. */
void arena_reset(struct arena *);
/* 16-byte aligned, not zeroed. */
void *arena_alloc(struct arena *, size_t);
void *arena_calloc(struct arena *, size_t count, size_t size);
char *arena_strndup(struct arena *, const char *, size_t);
char *arena_strdup(struct arena *, const char *);
char *arena_printf(struct arena *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

#endif
