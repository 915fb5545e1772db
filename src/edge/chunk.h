/*
 * chunk: takes the chunked transfer coding off a request's body as it comes
 * (RFC 9112 section 7.1). Extensions and trailer fields are checked and
 * dropped: nothing here has a use for them.
 *
 * Runs on: C, pure. Frees: nothing. Units: bytes. Errors: the first one, with
 * words for the client; the coding is over then.
 */
#ifndef PENSTOCK_EDGE_CHUNK_H
#define PENSTOCK_EDGE_CHUNK_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

#define CHUNK_EXTENSIONS_MAX 4096 /* of all chunks of a body */
#define CHUNK_TRAILERS_MAX   4096

enum chunk_at {
	CHUNK_SIZE,
	CHUNK_SPACE, /* before an extension */
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_LINE, /* of the trailers */
	CHUNK_NAME,
	CHUNK_VALUE,
	CHUNK_VALUE_LF,
	CHUNK_END_LF,
	CHUNK_DONE
};

struct chunk {
	enum chunk_at at;
	size_t left; /* of the chunk at hand */
	size_t room; /* for what is not announced yet */
	unsigned digits, extensions, trailers;
};

/* The body may have `max` bytes. */
void chunk_init(struct chunk *, size_t max);
/*
 * Looks at in[0, len), len > 0, and takes *ret_used of it, of which the last
 * *ret_data are the body's. Call it again with the rest until there is none,
 * or chunk_done().
 */
enum err chunk_take(struct chunk *, const char *in, size_t len,
    size_t *ret_used, size_t *ret_data, struct err_info *);

static inline bool
chunk_done(const struct chunk *c)
{
	return (c->at == CHUNK_DONE);
}

#endif
