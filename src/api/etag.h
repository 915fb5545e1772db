/*
 * etag: entity tags (RFC 9110 sections 8.8.3 and 13.1.2): a strong one from
 * what an answer was made of, and whether a client has that answer already.
 *
 * Runs on: C. Frees: nothing. Units: bytes. Errors: none; an If-None-Match
 * that is malformed matches nothing.
 */
#ifndef PENSTOCK_API_ETAG_H
#define PENSTOCK_API_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETAG_TEXT 35 /* two quotes, 32 digits, NUL */

/* 128 bits: two answers do not meet by accident. */
struct etag {
	uint64_t a, b;
};

void etag_init(struct etag *);
void etag_mix(struct etag *, uint64_t);
void etag_text(const struct etag *, char ret[static ETAG_TEXT]);
/*
 * One of the list (or "*") is `tag`. Compared weakly, and without a "-gzip"
 * that stands before the closing quote: coding an answer changes the tag it
 * is sent with, not what it says.
 */
bool etag_matches(const char *if_none_match, const char *tag);

#endif
