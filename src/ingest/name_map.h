/*
 * name_map: open-addressing hash from a registry_name to whatever begins with
 * one. For registry.c.
 *
 * Runs on: L. Frees: name_map_done() frees the table, not the items.
 */
#ifndef PENSTOCK_INGEST_NAME_MAP_H
#define PENSTOCK_INGEST_NAME_MAP_H

#include "ingest/registry.h"

struct name_slot {
	uint64_t hash;
	struct registry_name *item; /* NULL: empty */
};

struct name_map {
	struct name_slot *slots; /* a power of two of them */
	size_t size, used;
};

uint64_t name_hash(const char *a, size_t alen, const char *b, size_t blen);
/* NULL if it is not there. */
void *name_map_get(const struct name_map *, const char *a, size_t alen,
    const char *b, size_t blen);
/* The item must not be there yet. False if memory is out. */
bool name_map_add(struct name_map *, struct registry_name *item);
void name_map_done(struct name_map *);

#endif
