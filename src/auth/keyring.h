/*
 * keyring: our own keys for access tokens, one a line of the secret's file.
 * The first signs, all verify; so a new key is made known everywhere before
 * it signs, and an old one verifies until its tokens are over. A key is named
 * (kid) by what it is: nobody has to keep names and keys together.
 *
 * Runs on: C. Frees: keyring_done(). Errors: ERR_INVALID; the detail tells no
 * key.
 */
#ifndef PENSTOCK_AUTH_KEYRING_H
#define PENSTOCK_AUTH_KEYRING_H

#include "auth/jws.h"

#define KEYRING_MAX    4
#define KEYRING_SECRET 32 /* least bytes of a key, RFC 7518 section 3.2 */

struct keyring {
	struct jws_key keys[KEYRING_MAX]; /* the first signs */
	size_t n;
};

enum err
keyring_parse(const char *text, struct keyring *ret, struct err_info *);
void keyring_done(struct keyring *);
/* NULL if there is none of that name. */
const struct jws_key *keyring_find(const struct keyring *, const char *kid);
bool keyring_same(const struct keyring *, const struct keyring *);

#endif
