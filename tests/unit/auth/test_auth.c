#include "auth/key.h"
#include "auth/password.h"
#include "auth/role.h"
#include "auth/token.h"
#include "auth/token_cache.h"
#include "core/instant.h"

#include <criterion/criterion.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    INT64_C(1795000000000000)
#define NOW_S  1795000000L
#define SECRET "0123456789abcdef0123456789abcdef"

#define OTHER "another-secret-another-secret-xx"

static struct keyring ring;
static const struct token_config config = {
    &ring, "penstock", "penstock-api", 900, NULL};

static void
make_ring(void)
{
	cr_assert_eq(keyring_parse(SECRET "\n", &ring, NULL), ERR_OK);
}

static void
drop_ring(void)
{
	keyring_done(&ring);
}

TestSuite(token, .init = make_ring, .fini = drop_ring);
TestSuite(token_cache, .init = make_ring, .fini = drop_ring);

static struct token
someone(const char *name, enum role role)
{
	struct token t = {.role = role, .session = 7};

	snprintf(t.subject, sizeof(t.subject), "%s", name);
	return (t);
}

static void
issue(const char *name, enum role role, char text[static TOKEN_MAX])
{
	struct token t = someone(name, role);

	cr_assert_eq(token_issue(&config, &t, NOW, text, NULL), ERR_OK);
}

/* One forged token: what differs from a good one. */
struct forged {
	const char *what;
	jwt_alg_t alg;
	const char *key, *kid, *iss, *aud, *sub, *role, *sid;
	long exp, nbf, iat;
	enum err want;
};
#define GOOD                                                                   \
	.alg = JWT_ALG_HS256, .key = SECRET, .kid = "ours", .iss = "penstock", \
	.aud = "penstock-api", .sub = "anna", .role = "operator", .sid = "7",  \
	.exp = NOW_S + 900, .nbf = NOW_S, .iat = NOW_S

static char *
forge(const struct forged *f)
{
	jwt_t *jwt = NULL;
	char *text;

	cr_assert_eq(jwt_new(&jwt), 0);
	if (f->kid != NULL)
		jwt_add_header(jwt, "kid",
		    strcmp(f->kid, "ours") == 0 ? ring.keys[0].kid : f->kid);
	cr_assert_eq(jwt_set_alg(jwt, f->alg, (const unsigned char *)f->key,
			 f->key != NULL ? (int)strlen(f->key) : 0),
	    0, "%s", f->what);
	if (f->iss != NULL)
		jwt_add_grant(jwt, "iss", f->iss);
	if (f->aud != NULL)
		jwt_add_grant(jwt, "aud", f->aud);
	if (f->sub != NULL)
		jwt_add_grant(jwt, "sub", f->sub);
	if (f->role != NULL)
		jwt_add_grant(jwt, "role", f->role);
	if (f->sid != NULL)
		jwt_add_grant(jwt, "sid", f->sid);
	if (f->exp != 0)
		jwt_add_grant_int(jwt, "exp", f->exp);
	if (f->nbf != 0)
		jwt_add_grant_int(jwt, "nbf", f->nbf);
	if (f->iat != 0)
		jwt_add_grant_int(jwt, "iat", f->iat);
	cr_assert_not_null(text = jwt_encode_str(jwt));
	jwt_free(jwt);
	return (text);
}

/* Later initialisers replace what GOOD says: that is the point. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct forged forgeries[] = {
    {GOOD, .what = "good", .want = ERR_OK},
    {GOOD, .what = "alg none", .alg = JWT_ALG_NONE, .key = NULL,
	.want = ERR_UNAUTHORIZED},
    {GOOD, .what = "alg HS384", .alg = JWT_ALG_HS384, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "alg HS512", .alg = JWT_ALG_HS512, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "another secret", .key = OTHER, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no kid", .kid = NULL, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "another kid", .kid = "k2", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no iss", .iss = NULL, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "another iss", .iss = "pen", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no aud", .aud = NULL, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "another aud", .aud = "x", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no sub", .sub = NULL, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "empty sub", .sub = "", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no role", .role = NULL, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "role anonymous", .role = "anonymous",
	.want = ERR_UNAUTHORIZED},
    {GOOD, .what = "role root", .role = "root", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no session", .sid = NULL, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "session 0", .sid = "0", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "session x", .sid = "7x", .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "a line break in sub", .sub = "a\nb",
	.want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no exp", .exp = 0, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "expired", .exp = NOW_S - 1, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "expires now", .exp = NOW_S, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "one second left", .exp = NOW_S + 1, .want = ERR_OK},
    {GOOD, .what = "a day left", .exp = NOW_S + 86430, .want = ERR_OK},
    {GOOD, .what = "more than a day left", .exp = NOW_S + 86431,
	.want = ERR_UNAUTHORIZED},
    {GOOD, .what = "exp beyond time", .exp = 253402300800L,
	.want = ERR_UNAUTHORIZED},
    {GOOD, .what = "negative exp", .exp = -5, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "nbf within skew", .nbf = NOW_S + 30, .want = ERR_OK},
    {GOOD, .what = "nbf ahead", .nbf = NOW_S + 31, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "iat ahead", .iat = NOW_S + 31, .want = ERR_UNAUTHORIZED},
    {GOOD, .what = "no nbf, no iat", .nbf = 0, .iat = 0, .want = ERR_OK},
};
#pragma GCC diagnostic pop

Test(token, forgeries)
{
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(*forgeries); i++) {
		const struct forged *f = &forgeries[i];
		struct token t = {.role = ROLE_ANONYMOUS};
		struct err_info info = {.code = ERR_OK};
		char *text = forge(f);

		cr_expect_eq(token_verify(&config, text, NOW, &t, &info),
		    f->want, "%s: %s", f->what, info.detail);
		cr_expect_eq(t.role,
		    f->want == ERR_OK ? ROLE_OPERATOR : ROLE_ANONYMOUS, "%s",
		    f->what);
		free(text);
	}
}

Test(token, issued_token_is_verified_until_it_expires)
{
	char text[TOKEN_MAX];
	struct token t;

	issue("anna", ROLE_ADMIN, text);
	cr_assert_eq(token_verify(&config, text, NOW, &t, NULL), ERR_OK);
	cr_expect_str_eq(t.subject, "anna");
	cr_expect_eq(t.role, ROLE_ADMIN);
	cr_expect_eq(t.session, 7);
	cr_expect_eq(t.expires_us, NOW + 900 * US_PER_SECOND);
	cr_expect_eq(
	    token_verify(&config, text, NOW + 900 * US_PER_SECOND, &t, NULL),
	    ERR_UNAUTHORIZED);
}

/* The claims of a good token under another header, signature kept, and each
 * byte of it changed. */
Test(token, tampered)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
				       "mnopqrstuvwxyz0123456789-_";
	char text[TOKEN_MAX], bad[TOKEN_MAX];
	struct token t;
	size_t len;

	issue("anna", ROLE_VIEWER, text);
	len = strlen(text);
	for (size_t i = 0; i < len - 1; i++) {
		memcpy(bad, text, len + 1);
		bad[i] = text[i] == 'A' ? 'B' : alphabet[0];
		cr_expect_eq(token_verify(&config, bad, NOW, &t, NULL),
		    ERR_UNAUTHORIZED, "byte %zu", i);
	}
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, text, len + 1);
		bad[i] = '\0';
		cr_expect_eq(token_verify(&config, bad, NOW, &t, NULL),
		    ERR_UNAUTHORIZED, "cut at %zu", i);
	}
}

Test(token, rubbish)
{
	static const char *const rubbish[] = {"", ".", "..", "...", "a.b.c",
	    "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA",
	    "eyJhbGciOiJIUzI1NiJ9.W10.AAAA"};
	char big[5000];
	struct token t;

	for (size_t i = 0; i < sizeof(rubbish) / sizeof(*rubbish); i++)
		cr_expect_eq(token_verify(&config, rubbish[i], NOW, &t, NULL),
		    ERR_UNAUTHORIZED, "%s", rubbish[i]);
	memset(big, 'A', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	cr_expect_eq(
	    token_verify(&config, big, NOW, &t, NULL), ERR_UNAUTHORIZED);
}

/* Not what we issue: some of it is allowed by RFC 7519 all the same. */
Test(token, odd_claims)
{
	static const struct {
		const char *text;
		enum err want;
	} claims[] = {
	    {"{\"aud\":[\"x\",\"penstock-api\"],\"exp\":1795000900}", ERR_OK},
	    {"{\"aud\":\"penstock-api\",\"exp\":1795000900.5}", ERR_OK},
	    {"{\"aud\":[\"penstock\"],\"exp\":1795000900}", ERR_UNAUTHORIZED},
	    {"{\"aud\":[],\"exp\":1795000900}", ERR_UNAUTHORIZED},
	    {"{\"aud\":{\"a\":\"penstock-api\"},\"exp\":1795000900}",
		ERR_UNAUTHORIZED},
	    {"{\"aud\":\"penstock-api\",\"exp\":\"1795000900\"}",
		ERR_UNAUTHORIZED},
	    {"{\"aud\":\"penstock-api\",\"exp\":1e300}", ERR_UNAUTHORIZED},
	    {"{\"aud\":\"penstock-api\",\"exp\":1795000900,"
	     "\"nbf\":\"0\"}",
		ERR_UNAUTHORIZED},
	    {"{\"aud\":\"penstock-api\",\"exp\":1795000900,"
	     "\"iat\":-0.5}",
		ERR_UNAUTHORIZED}};

	for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++) {
		jwt_t *jwt = NULL;
		struct token t;
		char *text;

		cr_assert_eq(jwt_new(&jwt), 0);
		jwt_add_header(jwt, "kid", ring.keys[0].kid);
		jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)SECRET,
		    (int)strlen(SECRET));
		jwt_add_grant(jwt, "iss", "penstock");
		jwt_add_grant(jwt, "sub", "anna");
		jwt_add_grant(jwt, "role", "admin");
		jwt_add_grant(jwt, "sid", "7");
		cr_assert_eq(jwt_add_grants_json(jwt, claims[i].text), 0);
		cr_assert_not_null(text = jwt_encode_str(jwt));
		cr_expect_eq(token_verify(&config, text, NOW, &t, NULL),
		    claims[i].want, "%s", claims[i].text);
		free(text);
		jwt_free(jwt);
	}
}

Test(token_cache, remembers_until_expiry_and_no_longer)
{
	struct token_cache *cache = token_cache_new();
	struct token_config other = config;
	struct keyring others;
	char text[TOKEN_MAX];
	struct token t;

	cr_assert_eq(keyring_parse(OTHER, &others, NULL), ERR_OK);
	other.keys = &others;
	issue("anna", ROLE_ADMIN, text);
	cr_expect_eq(token_cache_verify(cache, &other, text, NOW, &t, NULL),
	    ERR_UNAUTHORIZED);
	cr_expect_eq(
	    token_cache_verify(cache, &config, text, NOW, &t, NULL), ERR_OK);
	/* From the cache: the wrong secret is not even asked. */
	memset(&t, 0, sizeof(t));
	cr_expect_eq(
	    token_cache_verify(cache, &other, text, NOW, &t, NULL), ERR_OK);
	cr_expect_eq(t.role, ROLE_ADMIN);
	cr_expect_eq(token_cache_verify(cache, &config, text,
			 NOW + 900 * US_PER_SECOND, &t, NULL),
	    ERR_UNAUTHORIZED);
	/* The key is trusted no more. */
	token_cache_clear(cache);
	cr_expect_eq(token_cache_verify(cache, &other, text, NOW, &t, NULL),
	    ERR_UNAUTHORIZED);
	token_cache_free(cache);
	keyring_done(&others);
}

Test(token_cache, is_bounded_and_never_mixes_tokens)
{
	struct token_cache *cache = token_cache_new();
	char text[TOKEN_MAX], name[32];
	struct token t;

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		issue(name, ROLE_VIEWER, text);
		for (int again = 0; again < 2; again++) {
			cr_assert_eq(token_cache_verify(
					 cache, &config, text, NOW, &t, NULL),
			    ERR_OK);
			cr_assert_str_eq(t.subject, name);
		}
	}
	token_cache_free(cache);
}

Test(key, made_and_parsed)
{
	char text[KEY_LEN + 1], bad[KEY_LEN + 2];
	struct key made, parsed, other;

	key_new(&made, text);
	cr_assert_eq(strlen(text), KEY_LEN);
	cr_assert(key_parse(text, &parsed));
	cr_expect_str_eq(parsed.id, made.id);
	cr_expect(digest_equal(parsed.sha, made.sha));
	for (size_t i = 0; i < KEY_LEN; i++) {
		memcpy(bad, text, KEY_LEN + 1);
		bad[i] = text[i] == 'x' ? 'y' : 'x';
		cr_expect(!key_parse(bad, &other) ||
			strcmp(other.id, made.id) != 0 ||
			!digest_equal(other.sha, made.sha),
		    "byte %zu", i);
		memcpy(bad, text, KEY_LEN + 1);
		bad[i] = '\0';
		cr_expect_not(key_parse(bad, &other), "cut at %zu", i);
	}
	snprintf(bad, sizeof(bad), "%sx", text);
	cr_expect_not(key_parse(bad, &other));
	cr_expect_not(key_parse("", &other));
	cr_expect_not(key_parse("pk_", &other));
}

Test(key, are_all_different)
{
	char a[KEY_LEN + 1], b[KEY_LEN + 1];
	struct key x, y;

	key_new(&x, a);
	key_new(&y, b);
	cr_expect_str_neq(x.id, y.id);
	cr_expect_str_neq(a + 20, b + 20);
}

/* FIPS 180-4 example: SHA-256("abc"), in two parts. */
Test(digest, known_answer)
{
	static const unsigned char want[DIGEST_LEN] = {0xba, 0x78, 0x16, 0xbf,
	    0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
	    0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10,
	    0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	struct digest_part parts[] = {{"a", 1}, {"", 0}, {"bc", 2}};
	unsigned char got[DIGEST_LEN];

	digest(parts, 3, got);
	cr_expect(digest_equal(got, want));
	got[31] ^= 1;
	cr_expect_not(digest_equal(got, want));
}

Test(password, hashed_and_verified)
{
	char hash[PASSWORD_HASH], again[PASSWORD_HASH];

	cr_assert_eq(
	    password_hash("correct horse battery", hash, NULL), ERR_OK);
	cr_assert_eq(
	    password_hash("correct horse battery", again, NULL), ERR_OK);
	cr_expect(strncmp(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31) == 0);
	cr_expect_str_neq(hash, again);
	cr_expect(password_verify(hash, "correct horse battery"));
	cr_expect_not(password_verify(hash, "correct horse batterz"));
	cr_expect_not(password_verify(hash, ""));
	cr_expect_not(password_verify("no hash", "correct horse battery"));
	cr_expect_not(password_verify(NULL, "correct horse battery"));
}

Test(password, bounds)
{
	char hash[PASSWORD_HASH] = "untouched", big[4 * PASSWORD_MAX + 2];
	struct err_info info = {.code = ERR_OK};

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	cr_expect_eq(password_hash("eleven char", hash, &info), ERR_INVALID);
	cr_expect_str_eq(info.pointer, "/password");
	cr_expect_eq(password_hash(big, hash, NULL), ERR_INVALID);
	cr_expect_str_eq(hash, "untouched");
}

Test(password, random_ones_are_long_and_differ)
{
	char a[PASSWORD_RANDOM], b[PASSWORD_RANDOM];

	password_random(a);
	password_random(b);
	cr_expect_eq(strlen(a), PASSWORD_RANDOM - 1);
	cr_expect_str_neq(a, b);
}

Test(role, names)
{
	for (int r = ROLE_DEVICE; r < ROLE_COUNT; r++)
		cr_expect_eq(role_parse(role_name((enum role)r)), r);
	cr_expect_eq(role_parse("anonymous"), -1);
	cr_expect_eq(role_parse(""), -1);
	cr_expect_eq(role_parse("Admin"), -1);
}
