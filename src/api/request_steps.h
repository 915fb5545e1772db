/*
 * request_steps: what the dispatcher and the answer do with a request; not
 * for handlers.
 *
 * Runs on: L. Frees: request_release(). Errors: as named.
 */
#ifndef PENSTOCK_API_REQUEST_STEPS_H
#define PENSTOCK_API_REQUEST_STEPS_H

#include "api/api.h"
#include "api/request.h"

/* NULL if memory is out. Held once. */
struct request *request_new(struct api *, struct exchange *);
/* Metrics and the log line. */
void request_count(struct request *, int status);
/* Memory kept for later requests; for a clean end of tests. */
void request_spares_free(void);

/* Sends at once: no step stands between. Nothing for a client that left. */
void reply_send(struct request *, int status, const struct header *,
    size_t nheaders, const char *body, size_t len);
/* 204 with Allow, and what a browser asks before a foreign call. */
void reply_options(struct request *);

/* Each step either goes on (true) or has answered, or will (false). */
bool request_parse_query(struct request *);
bool request_parse_body(struct request *);

/* Fills r->who, then calls `next`; answers 401 itself. */
void identify(struct request *, void (*next)(struct request *));
/* Calls the route's handler, unless Idempotency-Key says otherwise. */
void idempotency_begin(struct request *);

#endif
