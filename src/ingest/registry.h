/*
 * registry: what a worker knows of nodes, series and API keys, in memory.
 *
 * Runs on: L (one per worker, no locks). Frees: registry_free(); entries live
 * until then at the same address, and only the registry changes them.
 * Units: plausible range in the metric's canonical unit. Errors: ERR_INVALID
 * for a row that cannot be used, ERR_NOT_FOUND for a series or key whose node
 * was not put yet, ERR_TOO_LARGE beyond the limits, ERR_NO_MEMORY.
 *
 * A put is idempotent, and a row with an older change number than the entry's
 * is ignored. Nothing is ever removed: rows retire and keys are revoked.
 */
#ifndef PENSTOCK_INGEST_REGISTRY_H
#define PENSTOCK_INGEST_REGISTRY_H

#include "core/err.h"
#include "domain/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTRY_SERIES_MAX 1000000
#define REGISTRY_CODE_MAX   63 /* bytes of a node, metric or zone code */

struct registry;

/* What an entry is found by: one string, or two without a gap. */
struct registry_name {
	const char *s;
	uint16_t len, len2;
};

struct node_entry {
	struct registry_name name; /* s is the code, NUL-terminated */
	const char *zone;	   /* "" if none */
	bool retired;
	int64_t change;
	struct series_entry *series, **series_end; /* next_of_node */
	struct node_entry *next, *next_of_zone, **prev_of_zone;
};

struct series_entry {
	struct registry_name name; /* node code, metric */
	struct node_entry *node;
	const char *metric;
	const char *unit; /* what senders mean when they say none */
	const char *canonical;
	double factor, offset; /* of `unit` */
	double low, high;      /* plausible, canonical unit */
	int64_t change;
	struct series_entry *next_of_node;
	int32_t id;
	enum series_kind kind;
	bool retired; /* itself or its node: see series_retired() */
};

/* Where a key may send: these nodes, and all that are in these zones. */
struct key_scope {
	const void **nodes; /* node_entry, sorted by address */
	const void **zones; /* node_entry.zone, likewise */
	size_t nnodes, nzones;
};

struct key_entry {
	struct registry_name name; /* s is the key's id, NUL-terminated */
	const char *label;
	uint8_t sha256[32];
	bool revoked;
	const struct key_scope *scope; /* NULL: everywhere */
	int64_t expires_us;	       /* µs UTC; 0: never */
	int64_t noted_us;	       /* last use that was told of */
	int64_t change;
	const char *replaces; /* id of the key it was issued for, or "" */
	struct key_entry *next_of_label, **prev_of_label;
};

/* Rows as the database has them; strings are copied. */
struct node_row {
	const char *code, *zone; /* zone NULL or "": none */
	bool retired;
	int64_t change;
};

struct series_row {
	int32_t id;
	const char *node, *metric, *unit, *canonical;
	enum series_kind kind;
	double low, high;
	bool retired;
	int64_t change;
};

struct key_row {
	const char *id, *label;
	const uint8_t *sha256;
	bool revoked;
	int64_t change;
	const char *nodes, *zones; /* codes with commas; both NULL: all */
	int64_t expires_us;	   /* 0: never */
	const char *replaces;	   /* a key's id; NULL or "": none */
};

/* NULL if memory is out. */
struct registry *registry_new(void);
void registry_free(struct registry *);
enum err registry_put_node(struct registry *, const struct node_row *);
enum err registry_put_series(struct registry *, const struct series_row *);
enum err registry_put_key(struct registry *, const struct key_row *);

/*
 * Newest change number applied, by table. They are apart because three
 * SELECTs see three moments: load nodes, then series, each from its own.
 */
enum registry_table { REGISTRY_NODES, REGISTRY_SERIES, REGISTRY_KEYS };
int64_t registry_change(const struct registry *, enum registry_table);

/* All NULL if there is none; retired and revoked entries are found. */
const struct node_entry *
registry_node(const struct registry *, const char *code, size_t len);
const struct key_entry *
registry_key(const struct registry *, const char *id, size_t len);
/*
 * The key that a device's certificate with this common name stands for: the
 * one with that id, or else the only live one with that label (of a key and
 * what replaces it the newer). NULL in *ret: there is none. ERR_CONFLICT: it
 * could be several.
 */
enum err registry_key_named(const struct registry *, const char *name,
    int64_t now_us, const struct key_entry **ret);
const struct series_entry *registry_series(const struct registry *,
    const char *node, size_t node_len, const char *metric, size_t metric_len);
const struct series_entry *registry_by_id(const struct registry *, int32_t id);
size_t registry_series_count(const struct registry *);

static inline bool
series_retired(const struct series_entry *s)
{
	return (s->retired || s->node->retired);
}

static inline bool
key_live(const struct key_entry *k, int64_t now_us)
{
	return (!k->revoked && (k->expires_us == 0 || k->expires_us > now_us));
}

bool registry_key_admits(const struct key_scope *, const struct node_entry *);
/* True for the first use and then once a minute: worth telling of. */
bool
registry_key_used(struct registry *, const struct key_entry *, int64_t now_us);

/* Series in use, of one zone and one metric, or of any where NULL. */
struct registry_walk {
	const struct node_entry *node;
	const struct series_entry *series;
	const char *metric;
	bool by_zone;
};
void registry_walk(const struct registry *, struct registry_walk *,
    const char *zone, const char *metric);
const struct series_entry *registry_walk_next(struct registry_walk *);

#endif
