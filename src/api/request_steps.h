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

#define HEAD_HEADERS 16

/* The header of an answer, made of the handler's and what is always there. */
struct head {
	struct header headers[HEAD_HEADERS];
	size_t n;
	char vary[96], etag[128], limit[64], policy[64];
	bool gzip; /* the client takes it, and it is worth it */
};

/* `len` of the body, SIZE_MAX if not known yet. Without a Content-Type a body
 * is JSON. The headers' strings are borrowed. */
void head_make(struct head *, const struct request *, int status,
    const struct header *, size_t nheaders, size_t len);
/* The body is gzip'd: says so, and gives a strong ETag its own form. */
void head_coded(struct head *);
/* Gzips and sends it in slices; the body is copied. */
void stream_body(
    struct request *, int status, struct head *, const char *body, size_t len);

/* Sends at once: no step stands between. Nothing for a client that left. */
void reply_send(struct request *, int status, const struct header *,
    size_t nheaders, const char *body, size_t len);
/* 204 with Allow, and what a browser asks before a foreign call. */
void reply_options(struct request *);

/* Calls `next` once the body is there; not for a client that left. */
void request_await_body(struct request *, void (*next)(struct request *));

/* Each step either goes on (true) or has answered, or will (false). */
bool request_parse_query(struct request *);
bool request_parse_body(struct request *);

/* Of a problem with a token: RFC 6750 section 3.1. */
#define REASON_TOKEN "invalid_token"
#define REASON_SCOPE "insufficient_scope"
/* 401, with that reason. */
void refuse_token(struct request *, const char *why);
/* Fills r->who, then calls `next`; answers 401 itself. */
void identify(struct request *, void (*next)(struct request *));
/* The same by an API key's text (identify_key.c). */
void identify_key(
    struct request *, const char *text, void (*next)(struct request *));
/* The same by x->client: the device key of that id or name. */
void identify_certificate(struct request *, void (*next)(struct request *));
/* Whether load and limits let it through: by its address, before anything
 * else; then by who it is from. A right password is also drawn on the user's
 * limit of log-ins. */
bool limit_address(struct request *);
bool limit_principal(struct request *);
bool limit_login(struct request *, const char *username);
/* Adds what is left, once half of it is used. */
void limit_tell(const struct request *, struct head *);
/* Calls the route's handler, unless Idempotency-Key says otherwise. */
void idempotency_begin(struct request *);

#endif
