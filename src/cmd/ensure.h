/*
 * ensure: makes something through the API unless it is there already.
 *
 * Runs on: the programs of src/cmd. Frees: nothing. Errors: told on stderr,
 * then false; while the service is away it waits, up to its patience.
 */
#ifndef PENSTOCK_CMD_ENSURE_H
#define PENSTOCK_CMD_ENSURE_H

#include "cmd/client.h"

#include <stdbool.h>
#include <stdint.h>

struct ensure {
	struct client *client;
	const char *token;
	int64_t patience_ms; /* per call, when nothing answers */
};

/* Like client_call(), but waits while the service is away. */
void ensure_call(struct ensure *, const char *method, const char *path,
    const char *body, struct client_reply *);
/* GET item; if there is none, POST `body` to the collection. `ret_made` may
 * be NULL. */
bool ensure_there(struct ensure *, const char *item, const char *collection,
    const char *body, bool *ret_made);
/* A call that must succeed (2xx). */
bool ensure_done(
    struct ensure *, const char *method, const char *path, const char *body);

#endif
