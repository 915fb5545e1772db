/*
 * refresh: refresh tokens, "pr_" + 22 characters that stay as long as the
 * session (128 random bits) + 43 that change with each use (256). Only
 * SHA-256 of each is kept, as of API keys. The first part without the second
 * is a token that was spent, and no stranger's guess.
 *
 * Runs on: C. Frees: nothing. Errors: false.
 */
#ifndef PENSTOCK_AUTH_REFRESH_H
#define PENSTOCK_AUTH_REFRESH_H

#include "auth/digest.h"

#include <stdbool.h>

#define REFRESH_PREFIX "pr_"
#define REFRESH_HANDLE 22
#define REFRESH_SECRET 43
#define REFRESH_LEN    (3 + REFRESH_HANDLE + REFRESH_SECRET)

struct refresh {
	unsigned char handle[DIGEST_LEN], secret[DIGEST_LEN];
};

/* The first of a session. */
void refresh_new(struct refresh *ret, char ret_text[static REFRESH_LEN + 1]);
/* The one after `text`, which refresh_parse() took. */
void refresh_next(const char *text, struct refresh *ret,
    char ret_text[static REFRESH_LEN + 1]);
/* Says nothing on whether there is such a session. */
bool refresh_parse(const char *text, struct refresh *ret);

#endif
