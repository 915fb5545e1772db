#include "auth/handle.h" /* before core/text.h */

#include "auth/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#define P256_BYTES   32
#define RSA_E_MAX    4 /* bytes; in use is 65537 */
#define UNCOMPRESSED 4 /* SEC 1 section 2.3.3 */

struct jwks {
	size_t n;
	struct jws_key keys[JWKS_KEYS];
};

/* Bytes of a base64url member, 0 if it is absent or too long. */
static size_t
octets(const json_t *jwk, const char *name, unsigned char *ret, size_t size)
{
	const json_t *v = json_object_get(jwk, name);
	long n = -1;

	if (json_is_string(v))
		n = jws_base64url(
		    json_string_value(v), json_string_length(v), ret, size);
	return (n > 0 ? (size_t)n : 0);
}

static EVP_PKEY *
make_key(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (c == NULL || params == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	OSSL_PARAM_free(params);
	return (key);
}

static EVP_PKEY *
rsa_key(const BIGNUM *n, const BIGNUM *e)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (b != NULL && n != NULL && e != NULL &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = make_key("RSA", OSSL_PARAM_BLD_to_param(b));
	OSSL_PARAM_BLD_free(b);
	return (key);
}

/* RFC 7518 section 6.3.1. */
static EVP_PKEY *
take_rsa(const json_t *jwk)
{
	unsigned char n[JWS_RSA_MAX / 8 + 1], e[RSA_E_MAX];
	size_t nlen = octets(jwk, "n", n, sizeof(n));
	size_t elen = octets(jwk, "e", e, sizeof(e));
	BIGNUM *bn = BN_bin2bn(n, (int)nlen, NULL);
	BIGNUM *be = BN_bin2bn(e, (int)elen, NULL);
	EVP_PKEY *key = NULL;

	if (bn != NULL && be != NULL && BN_num_bits(bn) >= JWS_RSA_MIN &&
	    BN_num_bits(bn) <= JWS_RSA_MAX && BN_is_odd(bn) && BN_is_odd(be) &&
	    !BN_is_one(be))
		key = rsa_key(bn, be);
	BN_free(bn);
	BN_free(be);
	return (key);
}

static bool
is_on_curve(EVP_PKEY *key)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool good = c != NULL && EVP_PKEY_public_check(c) == 1;

	EVP_PKEY_CTX_free(c);
	return (good);
}

/* RFC 7518 section 6.2.1: both halves have their full length. */
static EVP_PKEY *
take_ec(const json_t *jwk)
{
	const char *crv = json_string_value(json_object_get(jwk, "crv"));
	unsigned char point[1 + 2 * P256_BYTES] = {UNCOMPRESSED};
	char group[] = "P-256";
	EVP_PKEY *key;

	if (crv == NULL || strcmp(crv, group) != 0 ||
	    octets(jwk, "x", point + 1, P256_BYTES) != P256_BYTES ||
	    octets(jwk, "y", point + 1 + P256_BYTES, P256_BYTES) != P256_BYTES)
		return (NULL);
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(
				   OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
	    OSSL_PARAM_construct_octet_string(
		OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
	    OSSL_PARAM_construct_end()};
	key = make_key("EC", OSSL_PARAM_dup(params));
	if (key != NULL && !is_on_curve(key)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return (key);
}

static const struct {
	const char *kty;
	enum jws_alg alg;
	EVP_PKEY *(*take)(const json_t *);
} kinds[] = {{"RSA", JWS_RS256, take_rsa}, {"EC", JWS_ES256, take_ec}};

static bool
is_word(const json_t *v, const char *word)
{
	return (json_is_string(v) && strcmp(json_string_value(v), word) == 0);
}

/* RFC 7517 sections 4.2 to 4.4: what the key says of itself, if it does. */
static bool
is_meant(const json_t *jwk, enum jws_alg alg)
{
	const json_t *use = json_object_get(jwk, "use");
	const json_t *ops = json_object_get(jwk, "key_ops");
	const char *word = json_string_value(json_object_get(jwk, "alg"));
	bool verify = ops == NULL;
	json_t *op;
	size_t i;

	json_array_foreach(ops, i, op) verify = verify || is_word(op, "verify");
	return (verify && (use == NULL || is_word(use, "sig")) &&
	    (json_object_get(jwk, "alg") == NULL ||
		(word != NULL && jws_alg_parse(word) == (int)alg)));
}

static void
take_key(struct jwks *set, const json_t *jwk)
{
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	struct jws_key *k = &set->keys[set->n];
	EVP_PKEY *pkey;

	if (kid == NULL || kid[0] == '\0' || strlen(kid) > JWS_KID ||
	    jwks_find(set, kid) != NULL)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!is_word(json_object_get(jwk, "kty"), kinds[i].kty) ||
		    !is_meant(jwk, kinds[i].alg) ||
		    (pkey = kinds[i].take(jwk)) == NULL)
			continue;
		k->alg = kinds[i].alg;
		k->pkey = pkey;
		memcpy(k->kid, kid, strlen(kid) + 1);
		set->n++;
	}
}

static void
take_keys(struct jwks *set, const json_t *keys)
{
	json_t *jwk;
	size_t i;

	json_array_foreach(keys, i, jwk)
	{
		if (i == JWKS_KEYS)
			break;
		take_key(set, jwk);
	}
}

struct jwks *
jwks_parse(const char *text, size_t len, struct err_info *info)
{
	AUTO_JSON j = NULL;
	struct jwks *set;

	if ((set = calloc(1, sizeof(*set))) == NULL) {
		(void)err_set(info, ERR_NO_MEMORY, NULL, "no memory for keys");
		return (NULL);
	}
	if (len <= JWKS_BYTES)
		j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	take_keys(set, json_object_get(j, "keys"));
	if (set->n == 0) {
		(void)err_set(info, ERR_INVALID, NULL, "%s",
		    json_is_array(json_object_get(j, "keys"))
			? "no key of the JWK set can be used"
			: "this is no JWK set");
		jwks_free(set);
		set = NULL;
	}
	return (set);
}

void
jwks_free(struct jwks *set)
{
	if (set == NULL)
		return;
	while (set->n > 0)
		jws_key_done(&set->keys[--set->n]);
	free(set);
}

size_t
jwks_count(const struct jwks *set)
{
	return (set->n);
}

const struct jws_key *
jwks_find(const struct jwks *set, const char *kid)
{
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->keys[i].kid, kid) == 0)
			return (&set->keys[i]);
	return (NULL);
}

bool
jwks_same(const struct jwks *a, const struct jwks *b)
{
	if (a == NULL || b == NULL || a->n != b->n)
		return (a == b);
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->keys[i].kid, b->keys[i].kid) != 0 ||
		    EVP_PKEY_eq(a->keys[i].pkey, b->keys[i].pkey) != 1)
			return (false);
	return (true);
}
