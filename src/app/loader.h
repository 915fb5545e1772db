/*
 * loader: keeps a worker's registry as the database has it: everything once,
 * then what changed, when a notification or an unknown name asks for it; the
 * spans that are archived, and the sessions that were revoked.
 *
 * Runs on: L, one per worker. Frees: loader_free().
 * Errors: a failed load is tried again after a second; who waits for it is
 * told all the same, and the registry simply knows no more than before.
 */
#ifndef PENSTOCK_APP_LOADER_H
#define PENSTOCK_APP_LOADER_H

#include "core/loop.h"
#include "core/query.h"

#include <stdbool.h>

struct loader;
struct registry;
struct last_seen;
struct cold;
struct revoked;

struct loader_config {
	struct loop *loop;
	struct query_port query;
	struct registry *registry;
	struct last_seen *last_seen;
	struct cold *cold; /* gets the spans it answers for */
	struct revoked *revoked;
	int64_t (*now_us)(void); /* UTC */
};

struct loader *loader_new(const struct loader_config *);
void loader_free(struct loader *);
/* done(arg) after a load that began after this call; NULL: nobody waits.
 * ERR_NO_MEMORY: done is never called. */
enum err loader_refresh(struct loader *, void (*done)(void *), void *arg);
/* A first complete load has happened. */
bool loader_loaded(const struct loader *);
/* The newest load succeeded: a name that is unknown now is none. */
bool loader_fresh(const struct loader *);

#endif
