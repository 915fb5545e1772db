/*
 * registry_parts: what the files of the registry share; for them alone.
 *
 * Runs on: L. Frees: registry_free(). Errors: NULL when memory is out.
 */
#ifndef PENSTOCK_INGEST_REGISTRY_PARTS_H
#define PENSTOCK_INGEST_REGISTRY_PARTS_H

#include "core/arena.h"
#include "ingest/name_map.h"

#define REGISTRY_TEXT_MAX 255

/* A word that many entries share: zone, unit, metric, key label. */
struct word {
	struct registry_name name;
	struct node_entry *nodes; /* if it is a zone */
	struct key_entry *keys;	  /* if it is a label */
};

struct registry {
	struct arena arena;
	struct name_map nodes, series, keys, words;
	struct series_entry ***pages;
	size_t npages;
	struct node_entry *first, **last;
	int64_t change[REGISTRY_KEYS + 1];
};

struct word *registry_intern(struct registry *, const char *, size_t len);
/* A new entry of `size` bytes that begins with its name, put in the map. */
void *registry_add(struct registry *, struct name_map *, size_t size,
    const char *a, const char *b);
void registry_applied(struct registry *, enum registry_table, int64_t change);
bool registry_is_text(const char *, size_t min, size_t max);

#endif
