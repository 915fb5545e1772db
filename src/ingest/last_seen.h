/*
 * last_seen: the newest event time of each series, in memory that all workers
 * share. It tells which readings are surely new and need no look-up (D5).
 *
 * Runs on: C, any number of processes at once; lock-free, so a worker may die
 * anywhere. Frees: nothing, the memory is the caller's. Units: µs UTC.
 *
 * Until it was filled from the database and last_seen_trust() called, nothing
 * is called newer, so that everything is looked up: slower, never wrong.
 */
#ifndef PENSTOCK_INGEST_LAST_SEEN_H
#define PENSTOCK_INGEST_LAST_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct last_seen;

/* Bytes for series numbers 1..max_series; readings of others are looked up. */
size_t last_seen_size(size_t max_series);
/* On zeroed memory of that size, before the workers fork. */
struct last_seen *last_seen_init(void *memory, size_t max_series);
/*
 * Records t. True if t is newer than every time recorded before, and that is
 * known for sure.
 */
bool last_seen_advance(struct last_seen *, int32_t series, int64_t t_us);
/* Every series' newest stored time was advanced to. */
void last_seen_trust(struct last_seen *);
bool last_seen_trusted(const struct last_seen *);
/* INSTANT_NONE if nothing was seen. */
int64_t last_seen_get(const struct last_seen *, int32_t series);

#endif
