/*
 * feed_create: makes the nodes and series a file speaks of, if they are not
 * there yet.
 *
 * Runs on: penstock-feed. Frees: feed_create_free(). Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_FEED_CREATE_H
#define PENSTOCK_CMD_FEED_CREATE_H

#include "cmd/ensure.h"

#include <stdbool.h>
#include <stdint.h>

struct feed_create {
	struct ensure ensure;
	const char *type;	/* of new nodes: "dma" */
	void *seen;		/* what was asked about already */
	uint64_t nodes, series; /* made */
};

/* `unit` "": the metric's own. */
bool feed_create_series(struct feed_create *, const char *node,
    const char *metric, const char *unit);
void feed_create_free(struct feed_create *);

#endif
