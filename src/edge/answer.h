/*
 * answer: the head of a response (RFC 9112 section 4), in one buffer.
 *
 * Runs on: C. Frees: nothing. Errors: 0 if it does not fit or a header holds
 * what would split the response.
 */
#ifndef PENSTOCK_EDGE_ANSWER_H
#define PENSTOCK_EDGE_ANSWER_H

#include "core/exchange.h"

#include <time.h>

#define ANSWER_HEAD_MAX 8192

/* How the client knows where the body ends (RFC 9112 section 6.3). */
enum answer_end { END_LENGTH, END_CHUNK, END_CLOSE };

struct answer {
	int status;
	const struct header *headers;
	size_t nheaders;
	enum answer_end end;
	size_t body_len; /* for END_LENGTH */
	const char *request_id;
	bool close;
	/* For an HTTP/1.0 client that asked to stay: how long it may be idle;
	 * 0: it did not ask. */
	unsigned keep_old_s;
	time_t now;
};

/* False for 1xx, 204 and 304 (RFC 9110 section 6.4.1). */
bool answer_has_body(int status);
size_t answer_head(char *buf, size_t size, const struct answer *);

#endif
