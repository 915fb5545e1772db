/*
 * token_cache: tokens that were verified already, until they expire. Not the
 * tokens themselves: 128 bits of SipHash-2-4 (Aumasson and Bernstein 2012) under
 * a key that never leaves the process, so that nobody can make a token that
 * meets another's. Bounded: a newer token takes the place of an older one.
 *
 * Runs on: L (one per worker). Frees: token_cache_free(). Units: µs UTC.
 * Errors: NULL from new when memory is out; a miss is never an error.
 */
#ifndef PENSTOCK_AUTH_TOKEN_CACHE_H
#define PENSTOCK_AUTH_TOKEN_CACHE_H

#include "auth/token.h"

struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *);
/* After a key is no longer trusted. */
void token_cache_clear(struct token_cache *);
/* token_verify(), asking the cache first. `cache` may be NULL. */
enum err token_cache_verify(struct token_cache *, const struct token_config *,
    const char *text, int64_t now_us, struct token *ret, struct err_info *);

#endif
