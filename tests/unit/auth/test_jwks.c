/* Signed tokens and foreign keys: the examples of the RFCs, and what must not
 * pass. libjwt makes the tokens: an implementation that is not ours. */
#include "auth/jwks.h"
#include "auth/token.h"

#include <criterion/criterion.h>
#include <jwt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW	INT64_C(1795000000000000)
#define NOW_S	1795000000L
#define SECRET	"0123456789abcdef0123456789abcdef"
#define ISSUER	"https://login.utility.example"
#define MEMBERS "{\"keys\":["

/* RFC 7515 appendix A.1 to A.3: the same claims, three keys. */
#define CLAIMS                                                         \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9l" \
	"eGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static const struct {
	const char *what, *token, *set, *secret;
} rfc7515[] = {
    {"A.1",
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS
	".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
	NULL,
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3"
	"Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
    {"A.2",
	"eyJhbGciOiJSUzI1NiJ9." CLAIMS "."
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R"
	"Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ"
	"jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB"
	"MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt"
	"FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
	"Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
	MEMBERS "{\"kty\":\"RSA\",\"kid\":\"k\",\"e\":\"AQAB\",\"n\":\""
		"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm"
		"fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
		"YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5"
		"z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD"
		"Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
		"GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
		"\"}]}",
	NULL},
    {"A.3",
	"eyJhbGciOiJFUzI1NiJ9." CLAIMS "."
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
	"SlSApmWQxfKTUJqPP3-Kg6NU1Q",
	MEMBERS "{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\","
		"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
	NULL},
};
#define NRFC7515 (sizeof(rfc7515) / sizeof(*rfc7515))

/* The example's key; `ret_set` is freed by the caller if it is set. */
static struct jws_key
rfc_key(size_t i, struct jwks **ret_set)
{
	static unsigned char secret[64];
	struct jws_key k = {.kid = "k", .secret = secret};

	*ret_set = NULL;
	if (rfc7515[i].set != NULL) {
		*ret_set =
		    jwks_parse(rfc7515[i].set, strlen(rfc7515[i].set), NULL);
		cr_assert_not_null(*ret_set, "%s", rfc7515[i].what);
		return (*jwks_find(*ret_set, "k"));
	}
	k.secret_len = (size_t)jws_base64url(rfc7515[i].secret,
	    strlen(rfc7515[i].secret), secret, sizeof(secret));
	cr_assert_eq(k.secret_len, 64);
	return (k);
}

Test(jws, examples_of_rfc_7515)
{
	for (size_t i = 0; i < NRFC7515; i++) {
		struct jwks *set;
		struct jws_key key = rfc_key(i, &set);
		struct jws t;
		char other[JWS_MAX];

		cr_assert_eq(jws_parse(rfc7515[i].token, &t, NULL), ERR_OK);
		cr_expect(jws_verify(&t, &key), "%s", rfc7515[i].what);
		cr_expect_eq(memcmp(t.claims, "{\"iss\":\"joe\",", 13), 0);
		cr_expect_eq(t.claims_len, 70);
		(void)snprintf(other, sizeof(other), "%s", rfc7515[i].token);
		other[strlen(other) - 20] ^= 1;
		cr_assert_eq(jws_parse(other, &t, NULL), ERR_OK);
		cr_expect_not(jws_verify(&t, &key), "%s", rfc7515[i].what);
		jwks_free(set);
	}
}

/* No key verifies by another algorithm than its own, whatever is asked. */
Test(jws, a_key_has_one_algorithm)
{
	for (size_t i = 0; i < NRFC7515; i++)
		for (size_t j = 0; j < NRFC7515; j++) {
			struct jwks *set;
			struct jws_key key = rfc_key(j, &set);
			struct jws t;

			cr_assert_eq(
			    jws_parse(rfc7515[i].token, &t, NULL), ERR_OK);
			cr_expect_eq(jws_verify(&t, &key), i == j);
			t.alg = key.alg;
			cr_expect_eq(jws_verify(&t, &key), i == j);
			jwks_free(set);
		}
}

Test(jws, headers_that_are_refused)
{
	static const char *const headers[] = {"{}", "[]", "\"\"", "",
	    "{\"alg\":\"none\"}", "{\"alg\":\"HS384\"}", "{\"alg\":\"hs256\"}",
	    "{\"alg\":7}", "{\"alg\":\"HS256\",\"alg\":\"none\"}",
	    "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
	    "{\"alg\":\"HS256\",\"crit\":[]}",
	    "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}",
	    "{\"alg\":\"HS256\",\"typ\":7}", "{\"alg\":\"HS256\",\"kid\":7}",
	    "{\"alg\":\"HS256\"}}",
	    "{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}"};
	char text[512], b64[256];
	struct jws t;

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		sodium_bin2base64(b64, sizeof(b64),
		    (const unsigned char *)headers[i], strlen(headers[i]),
		    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		snprintf(text, sizeof(text), "%s." CLAIMS ".AAAA", b64);
		cr_expect_eq(jws_parse(text, &t, NULL), ERR_UNAUTHORIZED, "%s",
		    headers[i]);
	}
}

/* RFC 7517 appendix A.1: one key is for encryption, one for signatures. */
Test(jwks, example_of_rfc_7517)
{
	static const char set[] = MEMBERS
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
	    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
	    "\"use\":\"enc\",\"kid\":\"1\"},"
	    "{\"kty\":\"RSA\",\"n\":\""
	    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtV"
	    "T86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64t"
	    "Z_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
	    "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO"
	    "pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
	    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	    "\",\"e\":\"AQAB\",\"alg\":\"RS256\","
	    "\"kid\":\"2011-04-29\"}]}";
	struct jwks *j = jwks_parse(set, strlen(set), NULL);

	cr_assert_not_null(j);
	cr_expect_eq(jwks_count(j), 1);
	cr_expect_null(jwks_find(j, "1"));
	cr_assert_not_null(jwks_find(j, "2011-04-29"));
	cr_expect_eq(jwks_find(j, "2011-04-29")->alg, JWS_RS256);
	jwks_free(j);
}

/* Keys of a provider of our own. */
static void
b64_bn(const EVP_PKEY *key, const char *name, char *ret, size_t size)
{
	unsigned char raw[1024];
	BIGNUM *n = NULL;
	int len;

	cr_assert_eq(EVP_PKEY_get_bn_param(key, name, &n), 1, "%s", name);
	len = strcmp(name, OSSL_PKEY_PARAM_RSA_N) == 0 ||
		strcmp(name, OSSL_PKEY_PARAM_RSA_E) == 0
	    ? BN_bn2bin(n, raw)
	    : BN_bn2binpad(n, raw, 32);
	sodium_bin2base64(ret, size, raw, (size_t)len,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	BN_free(n);
}

/* `more`: members after those of the key, each with a comma before. */
static void
add_jwk(
    char *set, size_t size, EVP_PKEY *key, const char *kid, const char *more)
{
	size_t n = strlen(set);
	char a[1400], b[100];
	bool rsa = EVP_PKEY_is_a(key, "RSA");

	b64_bn(key, rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, a,
	    sizeof(a));
	b64_bn(key, rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, b,
	    sizeof(b));
	snprintf(set + n, size - n,
	    rsa ? "%s{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\",\"kid\":\"%s\""
		  "%s}"
		: "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":"
		  "\"%s\",\"kid\":\"%s\"%s}",
	    n > strlen(MEMBERS) ? "," : "", a, b, kid, more);
}

static struct {
	EVP_PKEY *rsa, *ec;
	struct jwks *set;
	struct keyring ring;
	struct token_foreign foreign;
	struct token_config config;
} idp;

static struct jwks *
set_of(EVP_PKEY *key, const char *kid, const char *more)
{
	char text[4096] = MEMBERS;

	add_jwk(text, sizeof(text), key, kid, more);
	strncat(text, "]}", 3);
	return (jwks_parse(text, strlen(text), NULL));
}

static void
open_idp(void)
{
	char text[4096] = MEMBERS;

	idp.rsa = EVP_RSA_gen(2048);
	idp.ec = EVP_EC_gen("P-256");
	add_jwk(text, sizeof(text), idp.rsa, "r", ",\"use\":\"sig\"");
	add_jwk(text, sizeof(text), idp.ec, "e", ",\"alg\":\"ES256\"");
	strncat(text, "]}", 3);
	cr_assert_not_null(idp.set = jwks_parse(text, strlen(text), NULL));
	cr_assert_eq(jwks_count(idp.set), 2);
	cr_assert_eq(keyring_parse(SECRET, &idp.ring, NULL), ERR_OK);
	idp.foreign = (struct token_foreign){.issuer = ISSUER,
	    .audience = "penstock",
	    .role_claim = "role",
	    .zones_claim = "zones",
	    .life_s = 3600,
	    .keys = idp.set};
	cr_assert_eq(token_roles_parse("viewer=staff,operator=control room,"
				       "operator=night,admin=it",
			 &idp.foreign.roles, NULL),
	    ERR_OK);
	idp.config = (struct token_config){
	    &idp.ring, "penstock", "penstock-api", 900, &idp.foreign};
}

static void
close_idp(void)
{
	jwks_free(idp.set);
	keyring_done(&idp.ring);
	EVP_PKEY_free(idp.rsa);
	EVP_PKEY_free(idp.ec);
}

TestSuite(foreign, .init = open_idp, .fini = close_idp);

static char *
pem_of(EVP_PKEY *key, bool private)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *data, *copy;
	long len;

	cr_assert_eq(private
		? PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL)
		: PEM_write_bio_PUBKEY(b, key),
	    1);
	len = BIO_get_mem_data(b, &data);
	copy = strndup(data, (size_t)len);
	BIO_free(b);
	return (copy);
}

static char *
sign(jwt_alg_t alg, const char *key, const char *kid, const char *claims)
{
	jwt_t *jwt = NULL;
	char *text;

	cr_assert_eq(jwt_new(&jwt), 0);
	jwt_add_header(jwt, "kid", kid);
	cr_assert_eq(
	    jwt_set_alg(jwt, alg, (const unsigned char *)key, (int)strlen(key)),
	    0);
	cr_assert_eq(jwt_add_grants_json(jwt, claims), 0, "%s", claims);
	cr_assert_not_null(text = jwt_encode_str(jwt));
	jwt_free(jwt);
	return (text);
}

static enum err
check(jwt_alg_t alg, const char *kid, const char *claims, struct token *ret)
{
	char *pem = pem_of(alg == JWT_ALG_ES256 ? idp.ec : idp.rsa, true);
	char *text = sign(alg, pem, kid, claims);
	enum err e = token_verify(&idp.config, text, NOW, ret, NULL);

	free(pem);
	free(text);
	return (e);
}

#define WITH(iss, aud, rest)                                    \
	"{\"iss\":\"" iss "\",\"aud\":" aud ",\"sub\":\"u-1\"," \
	"\"iat\":1794999990,\"exp\":1795000900" rest "}"
#define GOOD WITH(ISSUER, "\"penstock\"", ",\"role\":\"staff\"")

Test(foreign, claims)
{
	static const struct {
		const char *claims, *where;
		enum err want;
		enum role role;
	} rows[] = {
	    {GOOD, "role", ERR_OK, ROLE_VIEWER},
	    {WITH(ISSUER, "[\"a\",\"penstock\"]",
		 ",\"roles\":[\"staff\",\"night\",\"x\"]"),
		"roles", ERR_OK, ROLE_OPERATOR},
	    {WITH(ISSUER, "\"penstock\"",
		 ",\"realm_access\":{\"roles\":[\"it\",\"staff\"]}"),
		"/realm_access/roles", ERR_OK, ROLE_ADMIN},
	    {WITH(ISSUER, "\"penstock\"",
		 ",\"https://u.example/role\":\"control room\""),
		"https://u.example/role", ERR_OK, ROLE_OPERATOR},
	    {WITH(ISSUER, "\"penstock\"", ",\"a/b\":{\"c~d\":\"it\"}"),
		"/a~1b/c~0d", ERR_OK, ROLE_ADMIN},
	    /* Our names of roles mean nothing unless the table says so. */
	    {WITH(ISSUER, "\"penstock\"", ",\"role\":\"admin\""), "role",
		ERR_FORBIDDEN, 0},
	    {WITH(ISSUER, "\"penstock\"", ""), "role", ERR_FORBIDDEN, 0},
	    {WITH(ISSUER, "\"penstock\"", ",\"role\":{\"staff\":1}"), "role",
		ERR_FORBIDDEN, 0},
	    {WITH(ISSUER, "\"penstock\"", ",\"role\":\"staff\""),
		"/role/deeper", ERR_FORBIDDEN, 0},
	    {WITH("penstock", "\"penstock\"", ",\"role\":\"staff\""), "role",
		ERR_UNAUTHORIZED, 0},
	    {WITH(ISSUER, "\"penstock-api\"", ",\"role\":\"staff\""), "role",
		ERR_UNAUTHORIZED, 0},
	};
	struct token t;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		idp.foreign.role_claim = rows[i].where;
		for (int es = 0; es < 2; es++) {
			cr_expect_eq(check(es ? JWT_ALG_ES256 : JWT_ALG_RS256,
					 es ? "e" : "r", rows[i].claims, &t),
			    rows[i].want, "%s", rows[i].claims);
			if (rows[i].want != ERR_OK)
				continue;
			cr_expect_eq(
			    t.role, rows[i].role, "%s", rows[i].claims);
			cr_expect_str_eq(t.subject, "idp:u-1");
			cr_expect_eq(t.session, 0);
		}
	}
}

/* Only an operator is bound to zones; who names none has none. */
Test(foreign, zones)
{
#define OPERATOR(rest) WITH(ISSUER, "\"penstock\"", ",\"role\":\"night\"" rest)
	static const struct {
		const char *claims, *where, *want;
		bool absent_all;
	} rows[] = {
	    {OPERATOR(""), "zones", "[]", false},
	    {OPERATOR(""), "zones", "[\"*\"]", true},
	    {OPERATOR(",\"zones\":null"), "zones", "[]", true},
	    {OPERATOR(",\"zones\":[]"), "zones", "[]", true},
	    {OPERATOR(",\"zones\":{\"a\":\"*\"}"), "zones", "[]", true},
	    {OPERATOR(",\"zones\":\"north\""), "zones", "[\"north\"]", false},
	    {OPERATOR(",\"zones\":[\"a\",1,\"b\\\"\"]"), "zones",
		"[\"a\",\"b\\\"\"]", false},
	    {OPERATOR(",\"x\":{\"y\":[\"a\"]}"), "/x/y", "[\"a\"]", false},
	    {GOOD, "zones", "", false},
	};
	char claims[TOKEN_ZONES + 400], code[TOKEN_ZONES];
	struct token t;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		idp.foreign.zones_claim = rows[i].where;
		idp.foreign.zones_absent_all = rows[i].absent_all;
		cr_expect_eq(check(JWT_ALG_ES256, "e", rows[i].claims, &t),
		    ERR_OK, "%s", rows[i].claims);
		cr_expect_str_eq(t.zones, rows[i].want);
	}
	idp.foreign.zones_claim = "zones";
	for (size_t n = TOKEN_ZONES - 5; n < TOKEN_ZONES - 3; n++) {
		memset(code, 'z', n);
		code[n] = '\0';
		snprintf(claims, sizeof(claims), OPERATOR(",\"zones\":\"%s\""),
		    code);
		cr_expect_eq(check(JWT_ALG_ES256, "e", claims, &t),
		    n == TOKEN_ZONES - 5 ? ERR_OK : ERR_FORBIDDEN, "%zu", n);
	}
}

/* What may be ended has a begin and an end that are not far apart. */
Test(foreign, ends)
{
#define LIFE(times)                                     \
	"{\"iss\":\"" ISSUER "\",\"aud\":\"penstock\"," \
	"\"sub\":\"u-1\",\"role\":\"staff\",\"exp\":1795000900" times "}"
	static const struct {
		const char *claims;
		enum err want;
	} rows[] = {
	    {LIFE(""), ERR_UNAUTHORIZED},
	    {LIFE(",\"iat\":1794997299"), ERR_UNAUTHORIZED},
	    {LIFE(",\"iat\":\"1794999990\""), ERR_UNAUTHORIZED},
	    {LIFE(",\"iat\":1794999990,\"jti\":7"), ERR_UNAUTHORIZED},
	    {LIFE(",\"iat\":1794997300,\"jti\":\"t-1\""), ERR_OK},
	};
	struct token t;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		cr_expect_eq(check(JWT_ALG_RS256, "r", rows[i].claims, &t),
		    rows[i].want, "%s", rows[i].claims);
	cr_expect_eq(t.ends.keys[0], revoked_mark("sub", "idp:u-1"));
	cr_expect_eq(t.ends.keys[1], revoked_mark("jti", "t-1"));
	cr_expect_eq(t.ends.issued_us, INT64_C(1794997300000000));
}

/* RFC 8725 section 2.1: the public key is no secret. */
Test(foreign, a_public_key_makes_no_hmac)
{
	char *pem = pem_of(idp.rsa, false);
	char *text = sign(JWT_ALG_HS256, pem, "r", GOOD);
	struct token t;

	cr_expect_eq(
	    token_verify(&idp.config, text, NOW, &t, NULL), ERR_UNAUTHORIZED);
	free(text);
	free(pem);
}

/* Each issuer's keys sign for that issuer alone. */
Test(foreign, keys_and_issuers_go_together)
{
	static const char ours[] = WITH("penstock", "\"penstock-api\"",
	    ",\"role\":\"admin\",\"sid\":\"1\"");
	const char *own = idp.ring.keys[0].kid;
	struct token t;
	char *text;

	cr_expect_eq(check(JWT_ALG_RS256, "r", ours, &t), ERR_UNAUTHORIZED);
	cr_expect_eq(check(JWT_ALG_RS256, own, ours, &t), ERR_UNAUTHORIZED);
	text = sign(JWT_ALG_HS256, SECRET, own, ours);
	cr_expect_eq(token_verify(&idp.config, text, NOW, &t, NULL), ERR_OK);
	free(text);
	text = sign(JWT_ALG_HS256, SECRET, own, GOOD);
	cr_expect_eq(
	    token_verify(&idp.config, text, NOW, &t, NULL), ERR_UNAUTHORIZED);
	free(text);
}

Test(foreign, keys_that_are_not_known)
{
	struct token t;

	cr_expect_eq(check(JWT_ALG_RS256, "r2", GOOD, &t), ERR_NOT_FOUND);
	cr_expect_eq(check(JWT_ALG_RS256, "", GOOD, &t), ERR_UNAUTHORIZED);
	cr_expect_eq(check(JWT_ALG_ES256, "r", GOOD, &t), ERR_UNAUTHORIZED);
	cr_expect_eq(check(JWT_ALG_RS256, "e", GOOD, &t), ERR_UNAUTHORIZED);
	idp.foreign.keys = NULL;
	cr_expect_eq(check(JWT_ALG_RS256, "r", GOOD, &t), ERR_NOT_FOUND);
	idp.config.foreign = NULL;
	cr_expect_eq(check(JWT_ALG_RS256, "r", GOOD, &t), ERR_UNAUTHORIZED);
}

Test(foreign, what_a_key_says_of_itself)
{
	static const struct {
		const char *more;
		bool good;
	} rows[] = {
	    {"", true},
	    {",\"use\":\"sig\",\"alg\":\"RS256\",\"key_ops\":[\"verify\"]",
		true},
	    {",\"x5c\":[\"a\"],\"other\":{}", true},
	    {",\"use\":\"enc\"", false}, {",\"use\":7", false},
	    {",\"alg\":\"RS512\"", false}, {",\"alg\":\"ES256\"", false},
	    {",\"alg\":\"HS256\"", false}, {",\"alg\":7", false},
	    {",\"key_ops\":[\"sign\"]", false}, {",\"key_ops\":[]", false},
	    {",\"kty\":\"EC\"", false}, /* twice: no JSON of ours */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct jwks *j = set_of(idp.rsa, "r", rows[i].more);

		cr_expect_eq(j != NULL, rows[i].good, "%s", rows[i].more);
		cr_expect_eq(jwks_same(j, idp.set), false);
		jwks_free(j);
	}
}

Test(foreign, weak_keys)
{
	static const int bits[] = {1024, 2048, 4096, 5120};

	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		EVP_PKEY *key = EVP_RSA_gen((unsigned)bits[i]);
		struct jwks *j = set_of(key, "r", "");

		cr_expect_eq(j != NULL, bits[i] >= 2048 && bits[i] <= 4096,
		    "%d", bits[i]);
		jwks_free(j);
		EVP_PKEY_free(key);
	}
}

Test(jwks, what_is_no_set_or_no_key)
{
#define P256 "{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\","
	static const char *const bad[] = {"", "{", "[]", "{}", "{\"keys\":{}}",
	    "{\"keys\":[]}", "{\"keys\":[7,null,[],{}]}",
	    MEMBERS "{\"kty\":\"oct\",\"kid\":\"k\",\"alg\":\"HS256\","
		    "\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
	    MEMBERS "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"AQAB\","
		    "\"e\":\"AQAB\"}]}",
	    MEMBERS "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":7,\"e\":7}]}",
	    /* no point of the curve; zero; cut; another curve; no name */
	    MEMBERS P256
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}]}",
	    MEMBERS P256
	    "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
	    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
	    MEMBERS P256
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
	    MEMBERS "{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-384\","
		    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
	    MEMBERS "{\"kty\":\"EC\",\"crv\":\"P-256\","
		    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"};
#undef P256
	struct err_info info;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		info.code = ERR_OK;
		cr_expect_null(
		    jwks_parse(bad[i], strlen(bad[i]), &info), "%s", bad[i]);
		cr_expect_eq(info.code, ERR_INVALID);
	}
}

/* Forty keys: the first 32 count; one name: the first counts; too long. */
Test(foreign, sets_are_bounded)
{
	char *text = calloc(1, JWKS_BYTES + 2), kid[16];
	struct jwks *j;

	memcpy(text, MEMBERS, sizeof(MEMBERS));
	for (int i = 0; i < 40; i++) {
		snprintf(kid, sizeof(kid), "k%d", i / 2);
		add_jwk(text, JWKS_BYTES, i % 2 ? idp.rsa : idp.ec, kid, "");
	}
	strncat(text, "]}", 3);
	cr_assert_not_null(j = jwks_parse(text, strlen(text), NULL));
	cr_expect_eq(jwks_count(j), JWKS_KEYS / 2);
	cr_expect_eq(jwks_find(j, "k15")->alg, JWS_ES256);
	cr_expect_null(jwks_find(j, "k16"));
	cr_expect(jwks_same(j, j));
	jwks_free(j);
	memset(text + strlen(text), ' ', JWKS_BYTES + 1 - strlen(text));
	cr_expect_null(jwks_parse(text, JWKS_BYTES + 1, NULL));
	cr_assert_not_null(j = jwks_parse(text, JWKS_BYTES, NULL));
	jwks_free(j);
	free(text);
}

Test(foreign, tables_of_roles)
{
	static const char *const bad[] = {"admin", "admin=", "=x", "root=x",
	    "device=x", "anonymous=x", "admin=a,,viewer=b",
	    ("admin=a234567890123456789012345678901234567890123456789012345678"
	     "901234")};
	struct token_roles r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_expect_eq(token_roles_parse(bad[i], &r, NULL), ERR_INVALID,
		    "%s", bad[i]);
	cr_assert_eq(token_roles_parse("admin=a=b", &r, NULL), ERR_OK);
	cr_expect_str_eq(r.rows[0].word, "a=b");
}
