/*
 * gate: what a request's head must look like before anybody reads it. It
 * refuses whatever two HTTP agents might read differently (RFC 9112
 * sections 2.2, 3.2, 5.1, 6.1, 6.3, 11.2) and everything without a bound.
 *
 * Runs on: C, pure. Frees: nothing; results point into the caller's buffer.
 * Errors: the first one, with words for the client.
 */
#ifndef PENSTOCK_EDGE_GATE_H
#define PENSTOCK_EDGE_GATE_H

#include "core/err.h"
#include "core/exchange.h"
#include "edge/edge.h"
#include "edge/target.h"

struct gate_limits {
	size_t header_max, target_max, body_max;
	unsigned headers_max;
};

struct gate_head {
	enum method method;
	struct target target;
	size_t content_length; /* 0 if chunked */
	bool has_length, chunked;
	bool close; /* after the answer */
	bool old;   /* HTTP/1.0 */
	bool expect_continue;
	const char *request_id; /* the client's, NULL if none or unusable */
	unsigned nheaders;
	struct header headers[EDGE_HEADERS_MAX];
};

/*
 * Looks at buf[0, len), of which the lines before *at were seen already.
 * *ret_end becomes the length of the head with its empty line, or 0 while
 * more is needed.
 */
enum err gate_scan(size_t *at, const char *buf, size_t len,
    const struct gate_limits *, size_t *ret_end, struct err_info *);
/* Cuts a complete head into its parts, in place. */
enum err gate_parse(char *buf, size_t end, const struct gate_limits *,
    struct gate_head *ret, struct err_info *);

#endif
