/*
 * exchange: one HTTP request and its one answer, as src/api sees it. src/edge
 * implements it on Kore; tests implement it in memory. So src/api knows no
 * Kore (stricter than the include rule asks, and testable).
 *
 * Runs on: L. Strings are borrowed from the connection and live until the
 * answer was given or on_gone was called. Exactly one of these happens:
 * exchange_reply() once, or on_gone() once (the client left); after either
 * the exchange must not be touched.
 */
#ifndef PENSTOCK_CORE_EXCHANGE_H
#define PENSTOCK_CORE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_COUNT
};

struct header {
	const char *name, *value; /* no CR, LF or NUL: checked by edge */
};

struct exchange;

struct exchange_ops {
	/* NULL if absent; name is compared without case. */
	const char *(*header)(struct exchange *, const char *name);
	/* The body is copied or sent before this returns. Status text,
	 * Content-Length, Date, Connection and X-Request-Id are edge's. */
	void (*reply)(struct exchange *, int status, const struct header *,
	    size_t nheaders, const void *body, size_t len);
	/*
	 * An answer of unknown length: begin() instead of reply(), then
	 * write() any number of times (copied), then end() once. HTTP/1.1:
	 * chunked; 1.0: until the close. `pull` is called, from the loop and
	 * never from inside these, whenever little waits to be sent, and asks
	 * for more; whoever writes on without it fills memory. end(false):
	 * the answer is not whole, so the connection is cut that the client
	 * sees it. Until end() the client may leave: on_gone() as above.
	 * HEAD: write() sends nothing.
	 */
	void (*begin)(struct exchange *, int status, const struct header *,
	    size_t nheaders, void (*pull)(struct exchange *));
	void (*write)(struct exchange *, const void *, size_t len);
	void (*end)(struct exchange *, bool whole);
	/*
	 * While body_waits: asks for the body, once; on_body() says that it
	 * is there, perhaps at once, unless on_gone() comes first. An answer
	 * before that is given instead of taking the body, and ends the
	 * connection.
	 */
	void (*take)(struct exchange *, void (*on_body)(struct exchange *));
};

struct exchange {
	const struct exchange_ops *ops;
	enum method method;
	const char *path;  /* raw, no query, as received */
	const char *query; /* raw, without '?', "" if none */
	bool body_waits;   /* the body is on its way: see take() */
	const char *body;
	size_t body_len;
	char peer[48];	/* address text */
	uint64_t place; /* its number; one for a whole /64 of IPv6 */
	char *client;	/* common name of its verified certificate, or NULL */
	char request_id[40]; /* checked client's or our own */
	int64_t started_us;  /* monotonic */
	void *user;	     /* the handler's */
	void (*on_gone)(struct exchange *);
};

const char *method_name(enum method);

static inline const char *
exchange_header(struct exchange *x, const char *name)
{
	return (x->ops->header(x, name));
}

static inline void
exchange_reply(struct exchange *x, int status, const struct header *h,
    size_t nh, const void *body, size_t len)
{
	x->ops->reply(x, status, h, nh, body, len);
}

#endif
