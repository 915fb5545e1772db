#include "auth/handle.h"

#include "auth/jws.h"
#include <jwt.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ES256_HALF 32 /* bytes of r and of s, RFC 7518 section 3.4 */

static const char *const alg_names[JWS_ALG_COUNT] = {"HS256", "RS256", "ES256"};

static void
context_release(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}
#define CONTEXT __attribute__((cleanup(context_release))) EVP_MD_CTX

static void
jwt_release(jwt_t **jwt)
{
	if (*jwt != NULL)
		jwt_free(*jwt);
}
#define JWT __attribute__((cleanup(jwt_release))) jwt_t

static enum err
refuse(struct err_info *info, const char *why)
{
	return (err_set(info, ERR_UNAUTHORIZED, NULL, "%s", why));
}

void
jws_key_done(struct jws_key *k)
{
	if (k->secret != NULL)
		sodium_memzero(k->secret, k->secret_len);
	free(k->secret);
	EVP_PKEY_free(k->pkey);
	*k = (struct jws_key){.kid = ""};
}

int
jws_alg_parse(const char *s)
{
	for (int a = 0; a < JWS_ALG_COUNT; a++)
		if (strcmp(s, alg_names[a]) == 0)
			return (a);
	return (-1);
}

long
jws_base64url(const char *s, size_t len, void *ret, size_t size)
{
	const char *end;
	size_t n;

	if (sodium_base642bin(ret, size, s, len, NULL, &n, &end,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    end != s + len)
		return (-1);
	return ((long)n);
}

/* RFC 8725 section 3.11: another kind of token is no access token. */
static bool
is_access_type(const char *typ)
{
	return (strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "at+jwt") == 0 ||
	    strcasecmp(typ, "application/at+jwt") == 0);
}

static enum err
read_header(const json_t *h, struct jws *t, struct err_info *info)
{
	const json_t *typ = json_object_get(h, "typ");
	const char *alg = json_string_value(json_object_get(h, "alg"));
	const json_t *kid = json_object_get(h, "kid");
	int a;

	if (json_object_get(h, "crit") != NULL)
		return (refuse(info, "the token has critical extensions"));
	if (typ != NULL &&
	    (!json_is_string(typ) || !is_access_type(json_string_value(typ))))
		return (refuse(info, "the token is of another kind"));
	if (alg == NULL || (a = jws_alg_parse(alg)) < 0)
		return (refuse(info, "the token's algorithm is not ours"));
	if (kid != NULL &&
	    (!json_is_string(kid) || json_string_length(kid) > JWS_KID))
		return (refuse(info, "the token's key has no name of ours"));
	t->alg = (enum jws_alg)a;
	t->kid[0] = '\0';
	if (kid != NULL)
		memcpy(t->kid, json_string_value(kid),
		    json_string_length(kid) + 1);
	return (ERR_OK);
}

static enum err
parse_header(const char *s, size_t len, struct jws *t, struct err_info *info)
{
	char text[JWS_HEADER];
	long n = jws_base64url(s, len, text, sizeof(text));
	AUTO_JSON h = NULL;

	if (n > 0)
		h = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(h))
		return (refuse(info, "the token is malformed"));
	return (read_header(h, t, info));
}

enum err
jws_parse(const char *text, struct jws *ret, struct err_info *info)
{
	size_t len = strnlen(text, JWS_MAX);
	const char *dot, *second;
	long claims, sig;

	if (len == JWS_MAX)
		return (refuse(info, "the token is too long"));
	if ((dot = strchr(text, '.')) == NULL ||
	    (second = strchr(dot + 1, '.')) == NULL ||
	    (claims = jws_base64url(dot + 1, (size_t)(second - dot - 1),
		 ret->claims, sizeof(ret->claims))) < 0 ||
	    (sig = jws_base64url(second + 1, (size_t)(text + len - second - 1),
		 ret->sig, sizeof(ret->sig))) <= 0)
		return (refuse(info, "the token is malformed"));
	ret->claims_len = (size_t)claims;
	ret->sig_len = (size_t)sig;
	ret->input = text;
	ret->input_len = (size_t)(second - text);
	return (parse_header(text, (size_t)(dot - text), ret, info));
}

/* libjwt obeys the token's own alg; jws_verify() has compared it before. */
static bool
verify_hs256(const struct jws *t, const struct jws_key *k)
{
	JWT *jwt = NULL;

	return (
	    jwt_decode(&jwt, t->input, k->secret, (int)k->secret_len) == 0 &&
	    jwt_get_alg(jwt) == JWT_ALG_HS256);
}

/* Not libjwt's: it takes no token of type at+jwt (RFC 9068), and no key but
 * as PEM. */
static bool
verify_pkey(const struct jws *t, const struct jws_key *k,
    const unsigned char *sig, size_t len)
{
	CONTEXT *c = EVP_MD_CTX_new();

	/* RSA without further word is RSASSA-PKCS1-v1_5, which is RS256. */
	return (c != NULL &&
	    EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
	    EVP_DigestVerify(c, sig, len, (const unsigned char *)t->input,
		t->input_len) == 1);
}

/* OpenSSL takes r and s as DER, JWS has them side by side. */
static bool
verify_es256(const struct jws *t, const struct jws_key *k)
{
	ECDSA_SIG *pair;
	BIGNUM *r, *s;
	unsigned char *der = NULL;
	bool good = false;
	int len;

	if (t->sig_len != 2 * (size_t)ES256_HALF ||
	    (pair = ECDSA_SIG_new()) == NULL)
		return (false);
	r = BN_bin2bn(t->sig, ES256_HALF, NULL);
	s = BN_bin2bn(t->sig + ES256_HALF, ES256_HALF, NULL);
	if (r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else if ((len = i2d_ECDSA_SIG(pair, &der)) > 0)
		good = verify_pkey(t, k, der, (size_t)len);
	OPENSSL_free(der);
	ECDSA_SIG_free(pair);
	return (good);
}

bool
jws_verify(const struct jws *t, const struct jws_key *k)
{
	if (t->alg != k->alg)
		return (false);
	switch (k->alg) {
	case JWS_HS256:
		return (verify_hs256(t, k));
	case JWS_RS256:
		return (verify_pkey(t, k, t->sig, t->sig_len));
	case JWS_ES256:
		return (verify_es256(t, k));
	case JWS_ALG_COUNT:
		break;
	}
	return (false);
}

enum err
jws_sign(const struct jws_key *k, const char *claims, char ret[static JWS_MAX],
    struct err_info *info)
{
	JWT *jwt = NULL;
	size_t len;
	char *text;

	if (k->alg != JWS_HS256 || jwt_new(&jwt) != 0 ||
	    jwt_add_header(jwt, "kid", k->kid) != 0 ||
	    jwt_set_alg(jwt, JWT_ALG_HS256, k->secret, (int)k->secret_len) !=
		0 ||
	    jwt_add_grants_json(jwt, claims) != 0 ||
	    (text = jwt_encode_str(jwt)) == NULL)
		return (err_set(info, ERR_INTERNAL, NULL, "no signature"));
	if ((len = strlen(text)) < JWS_MAX)
		memcpy(ret, text, len + 1);
	free(text);
	if (len >= JWS_MAX)
		return (err_set(info, ERR_INTERNAL, NULL, "token too long"));
	return (ERR_OK);
}
