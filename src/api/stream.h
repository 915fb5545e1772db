/*
 * stream: an answer of any length in constant memory: pieces as the client
 * takes them, gzip'd if it takes that. A request answers through this or
 * through reply_*(), once.
 *
 * Runs on: L. Frees: itself; the request is held from stream_begin() until
 * stream_end() or until the client left. Units: bytes. Errors: what fails on
 * the way ends the stream as not whole, and the client sees it cut.
 */
#ifndef PENSTOCK_API_STREAM_H
#define PENSTOCK_API_STREAM_H

#include "api/request.h"

#define STREAM_PIECE 65536 /* a good amount for one pull */

struct stream {
	int status;
	const char *content_type;
	const struct header *headers; /* more of them; copied */
	size_t nheaders;	      /* at most 6 */
	/*
	 * Called from the loop, never from inside the calls below, when the
	 * client can take more: soon after stream_begin(), and once after
	 * each stream_write() whose bytes have mostly left. Writes about
	 * STREAM_PIECE and returns, or asks somebody who will write later, or
	 * ends. A step under 2 ms.
	 */
	void (*pull)(struct request *);
	/* The client left, from inside no call of yours: let go of what is
	 * not the arena's. No stream_*() after it. May be NULL. */
	void (*gone)(struct request *);
};

/*
 * False: nothing is to be streamed: the answer to HEAD is complete, the
 * client left, or memory was out (and said so). Then neither pull nor gone
 * is called. Idempotency-Key is not for streams: GET only.
 */
bool stream_begin(struct request *, const struct stream *);
/* Copied. Nothing for a client that left. */
void stream_write(struct request *, const void *, size_t len);
/* `whole` false: the connection is cut, so that nobody takes it for all. */
void stream_end(struct request *, bool whole);

#endif
