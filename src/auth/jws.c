#include "auth/handle.h" /* before core/text.h */

#include "auth/jws.h"

#include <jwt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	jwt_alg_t jwt;
} algs[JWS_ALG_COUNT] = {
    [JWS_HS256] = {"HS256", JWT_ALG_HS256},
    [JWS_RS256] = {"RS256", JWT_ALG_RS256},
    [JWS_ES256] = {"ES256", JWT_ALG_ES256},
};

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
	if (k->key != NULL)
		sodium_memzero(k->key, k->key_len);
	free(k->key);
	*k = (struct jws_key){.kid = ""};
}

int
jws_alg_parse(const char *s)
{
	for (int a = 0; a < JWS_ALG_COUNT; a++)
		if (strcmp(s, algs[a].name) == 0)
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
	unsigned char sig[JWS_RSA_MAX / 8];
	long claims;

	if (len == JWS_MAX)
		return (refuse(info, "the token is too long"));
	if ((dot = strchr(text, '.')) == NULL ||
	    (second = strchr(dot + 1, '.')) == NULL ||
	    (claims = jws_base64url(dot + 1, (size_t)(second - dot - 1),
		 ret->claims, sizeof(ret->claims))) < 0 ||
	    jws_base64url(second + 1, (size_t)(text + len - second - 1), sig,
		sizeof(sig)) <= 0)
		return (refuse(info, "the token is malformed"));
	ret->claims_len = (size_t)claims;
	ret->text = text;
	return (parse_header(text, (size_t)(dot - text), ret, info));
}

bool
jws_verify(const struct jws *t, const struct jws_key *k)
{
	JWT *jwt = NULL;

	/* libjwt obeys the token's alg, so that is asked before and after. */
	return (t->alg == k->alg &&
	    jwt_decode(&jwt, t->text, k->key, (int)k->key_len) == 0 &&
	    jwt_get_alg(jwt) == algs[k->alg].jwt);
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
	    jwt_set_alg(jwt, JWT_ALG_HS256, k->key, (int)k->key_len) != 0 ||
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
