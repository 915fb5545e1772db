#include "auth/token_cache.h"

#include "auth/digest.h"

#include <stdlib.h>
#include <string.h>

#define SETS 256 /* a power of two */
#define WAYS 4

struct entry {
	unsigned char sha[DIGEST_LEN];
	struct token token; /* expires_us 0: empty */
};

struct token_cache {
	struct entry entries[SETS][WAYS];
	unsigned char next[SETS]; /* the way to be overwritten next */
};

struct token_cache *
token_cache_new(void)
{
	return (calloc(1, sizeof(struct token_cache)));
}

void
token_cache_free(struct token_cache *c)
{
	free(c);
}

enum err
token_cache_verify(struct token_cache *cache, const struct token_config *c,
    const char *text, int64_t now_us, struct token *ret, struct err_info *info)
{
	unsigned char sha[DIGEST_LEN];
	struct digest_part part = {text, strnlen(text, TOKEN_MAX)};
	struct entry *set, *e;
	unsigned n;
	enum err err;

	if (cache == NULL || part.len >= TOKEN_MAX)
		return (token_verify(c, text, now_us, ret, info));
	digest(&part, 1, sha);
	n = (sha[0] | (unsigned)sha[1] << 8) % SETS;
	set = cache->entries[n];
	for (e = set; e < set + WAYS; e++)
		if (e->token.expires_us > now_us && digest_equal(e->sha, sha)) {
			*ret = e->token;
			return (ERR_OK);
		}
	if ((err = token_verify(c, text, now_us, ret, info)) != ERR_OK)
		return (err);
	e = &set[cache->next[n]++ % WAYS];
	memcpy(e->sha, sha, sizeof(sha));
	e->token = *ret;
	return (ERR_OK);
}
