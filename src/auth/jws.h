/*
 * jws: signed tokens in compact form (RFC 7515), with HS256, RS256 and ES256
 * (RFC 7518 section 3). What a key is used for is the key's own matter: the
 * token's alg must be the same word, and chooses nothing (RFC 8725 section
 * 3.1). Keys and addresses of keys within a token are not looked at.
 *
 * Runs on: C. Frees: jws_key_done(); struct jws borrows its text. Units:
 * bytes. Errors: ERR_UNAUTHORIZED with words that a client may be told;
 * ERR_INTERNAL, ERR_NO_MEMORY when signing.
 */
#ifndef PENSTOCK_AUTH_JWS_H
#define PENSTOCK_AUTH_JWS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

#define JWS_MAX	    4096 /* of a token, its NUL included */
#define JWS_KID	    128	 /* of a key's name */
#define JWS_HEADER  1024 /* of a decoded header */
#define JWS_RSA_MIN 2048 /* bits, RFC 7518 section 3.3 */
#define JWS_RSA_MAX 4096 /* bits; more costs the loop too much */

enum jws_alg { JWS_HS256, JWS_RS256, JWS_ES256, JWS_ALG_COUNT };

struct jws_key {
	char kid[JWS_KID + 1];
	enum jws_alg alg;
	unsigned char *secret; /* HS256 */
	size_t secret_len;
	struct evp_pkey_st *pkey; /* the others: a public key */
};
void jws_key_done(struct jws_key *);

/* Taken apart, and not verified yet. */
struct jws {
	char kid[JWS_KID + 1]; /* "" if it names no key */
	enum jws_alg alg;
	const char *input; /* the token; its first input_len bytes are signed */
	size_t input_len;
	unsigned char sig[JWS_RSA_MAX / 8];
	size_t sig_len;
	char claims[JWS_MAX / 4 * 3];
	size_t claims_len;
};

enum err jws_parse(const char *text, struct jws *ret, struct err_info *);
bool jws_verify(const struct jws *, const struct jws_key *);
/* With a key of HS256. */
enum err jws_sign(const struct jws_key *, const char *claims,
    char ret[static JWS_MAX], struct err_info *);

/* Exactly `len` characters of base64url without padding; -1 if they are not,
 * or are more than `size` bytes. */
long jws_base64url(const char *, size_t len, void *ret, size_t size);
/* -1: none of ours. */
int jws_alg_parse(const char *);

#endif
