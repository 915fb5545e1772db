/*
 * request: one exchange on its way through the API: matched, authenticated,
 * authorised, validated, handled, answered.
 *
 * Runs on: L. Frees: the dispatcher, after the answer or when the client
 * left; a handler that waits for a callback takes request_hold() before and
 * request_release() in the callback, and asks request_gone() there first
 * (false for a client that left as long as its answer is to be kept).
 * Everything allocated from `arena` lives until the last release.
 * Errors: handlers answer with reply_problem().
 */
#ifndef PENSTOCK_API_REQUEST_H
#define PENSTOCK_API_REQUEST_H

#include "api/route.h"
#include "auth/revoked.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/exchange.h"
#include "core/query.h"
#include "core/text.h"

struct api; /* api.h: the ports and settings all handlers share */

struct principal {
	enum role role;
	const struct key_scope *scope; /* of a device; NULL: everywhere */
	char name[96];	 /* user name, "key:" + key id, or "idp:" + subject */
	int64_t session; /* 0: none */
	int64_t expires_us; /* of the token; 0: a key */
	struct revoked_keys ends;
	const char *zones; /* JSON, of a foreign operator; NULL: not by token */
};

struct request {
	struct exchange *x; /* NULL once answered or gone */
	struct api *api;
	struct arena arena; /* capped */
	struct route_match match;
	struct principal who;
	void *body; /* json_t * of a validated body, or NULL */
	/* Of a route with its own decoder: the body, its coding undone, and
	 * its type's place in the route's body_media. */
	const char *content;
	size_t content_len;
	int form;
	bool coded;	     /* what came is gzip */
	char *content_owned; /* freed with the request */
	char request_id[40];
	enum method method;
	int64_t started_us; /* monotonic */
	unsigned holds;
	void *state;	    /* the handler's own, from arena */
	const char **query; /* values, parallel to the route's query table */
	bool answered;	    /* an answer was given, perhaps not yet sent */
	/* Set by the idempotency step: called with the answer instead of
	 * sending it, and answers again once it is kept. */
	void (*on_reply)(
	    struct request *, int status, const char *body, size_t len);
	const struct header *reply_headers; /* for on_reply, during it */
	size_t nreply_headers;
	void *claim; /* the idempotency step's own */
	void *flow;  /* stream.c's own */
	void (*on_body)(struct request *);
	/* Of limit.c: the limit nearest to be reached, NULL if none is near;
	 * whether it was refused to serve others. */
	const struct limit *limit;
	struct drawn quota;
	bool shed;
	/* Of audit.c. claimed: a user name that was not proven. */
	const char *origin, *peer, *claimed;
};

void request_hold(struct request *);
void request_release(struct request *);
bool request_gone(const struct request *);

/* NULL if absent. Path parameters are always there. */
const char *request_path(struct request *, const char *name);
/* Decoded and checked against the route's query table. NULL if absent. */
const char *request_query(struct request *, const char *name);

/* NULL if absent or if the client left. */
const char *request_header(const struct request *, const char *name);
/* The one way to the database from a handler: holds the request until `cb`
 * (arg is the request) returned; if the query cannot be taken, answers the
 * problem itself. `cb` is not called for a client that left. */
void request_ask(struct request *, const struct query *,
    void (*cb)(struct request *, const struct rows *));

/* A name this worker does not know may be a second old: loads what is new,
 * then calls `next`, or answers 503. Not for a client that left. */
void request_refresh(struct request *, void (*next)(struct request *));

/* Each answers once; a second answer is a bug and aborts in debug builds.
 * Content-Type is application/json unless reply_with() is given another. A
 * client that left is no error: nothing is sent. */
void reply_json(struct request *, int status, const char *body, size_t len);
void reply_text(struct request *, int status, struct text *json);
void reply_with(struct request *, int status, const struct header *,
    size_t nheaders, const char *body, size_t len);
void reply_problem(struct request *, const struct err_info *);
void reply_error(struct request *, enum err, const char *pointer,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
