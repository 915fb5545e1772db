/*
 * jwks: a JWK Set (RFC 7517) of a foreign identity provider, as public keys
 * for tokens: RSA for RS256, EC on P-256 for ES256. A key that is none of
 * these, that is for another purpose, weak or without a name is passed over;
 * a symmetric key is none of ours, whatever it says.
 *
 * Runs on: C. Frees: jwks_free(). Units: bytes. Errors: NULL with ERR_INVALID
 * for what is no set or holds no key to use, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_AUTH_JWKS_H
#define PENSTOCK_AUTH_JWKS_H

#include "auth/jws.h"

#define JWKS_BYTES 65536
#define JWKS_KEYS  32 /* members of the set that are looked at */

struct jwks;

struct jwks *jwks_parse(const char *, size_t len, struct err_info *);
void jwks_free(struct jwks *);
size_t jwks_count(const struct jwks *);
/* NULL if there is none of that name. */
const struct jws_key *jwks_find(const struct jwks *, const char *kid);
bool jwks_same(const struct jwks *, const struct jwks *);

#endif
