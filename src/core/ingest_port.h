/*
 * ingest_port: what src/api needs to store readings and to read the newest.
 * src/store implements both on PostgreSQL (log_writer) and Redis (hot).
 *
 * Runs on: L. Callbacks run exactly once, never from inside the call, unless
 * the call itself returned an error, in which case never. A caller that is
 * gone passes a callback that only cleans up.
 */
#ifndef PENSTOCK_CORE_INGEST_PORT_H
#define PENSTOCK_CORE_INGEST_PORT_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reading;

/* info->code ERR_OK: committed. Anything else: it may or may not be stored;
 * answer 503 so that the client sends again (that changes nothing, D5). */
typedef void append_cb(void *arg, const struct err_info *info);

struct log_port {
	void *self;
	/* Copies `n` readings into the row being filled. ERR_BUSY: the queue
	 * is full, nothing was taken. After the commit, before the callback,
	 * the newest value per series is handed to the hot tier. */
	enum err (*append)(void *self, const struct reading *, size_t n,
	    append_cb *, void *arg, struct err_info *);
};

/* found[i]: keys[i] is stored already, with value[i]; the first one stored
 * counts. Nothing of it if info->code is not ERR_OK. */
typedef void known_cb(void *arg, const bool *found, const double *value,
    size_t n, const struct err_info *info);

struct lookup_port {
	void *self;
	/* Series and time of the keys count; they live until the callback. */
	enum err (*known)(void *self, const struct reading *keys, size_t n,
	    known_cb *, void *arg, struct err_info *);
};

/* found[i] false: the hot tier does not hold series i. */
typedef void hot_cb(void *arg, const struct reading *values, const bool *found,
    size_t n, const struct err_info *info);

struct hot_port {
	void *self;
	/* ERR_CACHE: Redis is away or behind; ask PostgreSQL. */
	enum err (*latest)(void *self, const int32_t *series, size_t n,
	    hot_cb *, void *arg, struct err_info *);
	/* The same at once, of what is at hand: all of it, or false: ask
	 * latest(). NULL: nothing is. */
	bool (*near)(
	    void *self, const int32_t *series, size_t n, struct reading *ret);
	/* The newest values as PostgreSQL has them, read after a miss; kept
	 * only if newer. */
	void (*fill)(void *self, const struct reading *, size_t n);
	/* Readings just committed, which may be older than what PostgreSQL
	 * holds: kept if newer than what is held here. Where nothing is held
	 * they do not answer latest() until fill() has told the newest. */
	void (*note)(void *self, const struct reading *, size_t n);
	/* Readings of these series were stored past note(): whatever is held
	 * of their last hours is read from PostgreSQL anew. After the commit,
	 * before it is answered. NULL: nothing is held. */
	void (*forget)(void *self, const int32_t *series, size_t n);
	/* Readings may have been stored, nobody knows: likewise, of all. */
	void (*doubt)(void *self);
	/* Since when it cannot be trusted, INSTANT_NONE if it can. */
	int64_t (*stale_since_us)(void *self);
};

#endif
