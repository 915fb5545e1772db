#include "auth/token_cache.h"

#include "auth/digest.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETS 256 /* a power of two */
#define WAYS 4

struct mark {
	uint64_t a, b;
};

_Static_assert(sizeof(struct mark) == crypto_shorthash_siphashx24_BYTES,
    "libsodium's 128 bits");

struct entry {
	struct mark mark;
	struct token token; /* expires_us 0: empty */
};

struct token_cache {
	unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	struct entry entries[SETS][WAYS];
	unsigned char next[SETS]; /* the way to be overwritten next */
};

struct token_cache *
token_cache_new(void)
{
	struct token_cache *c = calloc(1, sizeof(*c));

	if (c != NULL)
		random_bytes(c->key, sizeof(c->key));
	return (c);
}

void
token_cache_free(struct token_cache *c)
{
	free(c);
}

void
token_cache_clear(struct token_cache *c)
{
	memset(c->entries, 0, sizeof(c->entries));
}

enum err
token_cache_verify(struct token_cache *cache, const struct token_config *c,
    const char *text, int64_t now_us, struct token *ret, struct err_info *info)
{
	size_t len = strnlen(text, TOKEN_MAX), n;
	struct entry *set, *e;
	struct mark m;
	enum err err;

	if (cache == NULL || len >= TOKEN_MAX)
		return (token_verify(c, text, now_us, ret, info));
	(void)crypto_shorthash_siphashx24(
	    (unsigned char *)&m, (const unsigned char *)text, len, cache->key);
	n = m.a % SETS;
	set = cache->entries[n];
	for (e = set; e < set + WAYS; e++)
		if (e->token.expires_us > now_us &&
		    ((e->mark.a ^ m.a) | (e->mark.b ^ m.b)) == 0) {
			*ret = e->token;
			return (ERR_OK);
		}
	if ((err = token_verify(c, text, now_us, ret, info)) != ERR_OK)
		return (err);
	e = &set[cache->next[n]++ % WAYS];
	e->mark = m;
	e->token = *ret;
	return (ERR_OK);
}
