#include "auth/token.h"

#include "core/instant.h"

#include <errno.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

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

enum err
token_issue(const struct token_config *c, const char *subject, enum role role,
    int64_t now_us, char ret[static TOKEN_MAX], struct err_info *info)
{
	JWT *jwt = NULL;
	long now = (long)(now_us / US_PER_SECOND);
	size_t len;
	char *text;

	if (jwt_new(&jwt) != 0 || jwt_add_header(jwt, "kid", c->kid) != 0 ||
	    jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)c->secret,
		(int)strlen(c->secret)) != 0 ||
	    jwt_add_grant(jwt, "iss", c->issuer) != 0 ||
	    jwt_add_grant(jwt, "aud", c->audience) != 0 ||
	    jwt_add_grant(jwt, "sub", subject) != 0 ||
	    jwt_add_grant(jwt, "role", role_name(role)) != 0 ||
	    jwt_add_grant_int(jwt, "iat", now) != 0 ||
	    jwt_add_grant_int(jwt, "exp", now + c->life_s) != 0 ||
	    (text = jwt_encode_str(jwt)) == NULL)
		return (err_set(info, ERR_NO_MEMORY, NULL, "no token"));
	if ((len = strlen(text)) < TOKEN_MAX)
		memcpy(ret, text, len + 1);
	free(text);
	if (len >= TOKEN_MAX)
		return (err_set(info, ERR_INTERNAL, NULL, "token too long"));
	return (ERR_OK);
}

static bool
grant_is(jwt_t *jwt, const char *name, const char *want)
{
	const char *is = jwt_get_grant(jwt, name);

	return (is != NULL && strcmp(is, want) == 0);
}

/* libjwt gives 0 or -1 for a claim that is absent or no integer; errno tells
 * which. Seconds beyond year 9999 are no time. */
static bool
grant_time(jwt_t *jwt, const char *name, int64_t *ret_us, bool *ret_absent)
{
	long v;

	errno = 0;
	v = jwt_get_grant_int(jwt, name);
	*ret_absent = errno == ENOENT;
	if (errno != 0 || v <= 0 || v > 253402300799L)
		return (false);
	*ret_us = v * US_PER_SECOND;
	return (true);
}

static enum err
check_times(jwt_t *jwt, int64_t now_us, int64_t *ret_exp, struct err_info *info)
{
	static const char *const past[] = {"nbf", "iat"};
	int64_t t;
	bool absent;

	if (!grant_time(jwt, "exp", ret_exp, &absent))
		return (refuse(info, "the token has no expiry"));
	if (*ret_exp <= now_us)
		return (refuse(info, "the token has expired"));
	for (size_t i = 0; i < 2; i++) {
		if (!grant_time(jwt, past[i], &t, &absent)) {
			if (!absent)
				return (refuse(info, "the token is malformed"));
			continue;
		}
		if (t > now_us + TOKEN_SKEW_S * US_PER_SECOND)
			return (refuse(info, "the token is not valid yet"));
	}
	return (ERR_OK);
}

static enum err
check_names(jwt_t *jwt, const struct token_config *c, struct token *t,
    struct err_info *info)
{
	const char *kid = jwt_get_header(jwt, "kid");
	const char *sub = jwt_get_grant(jwt, "sub");
	const char *role = jwt_get_grant(jwt, "role");
	int r;

	if (kid == NULL || strcmp(kid, c->kid) != 0)
		return (refuse(info, "the token names another key"));
	if (!grant_is(jwt, "iss", c->issuer))
		return (refuse(info, "the token has another issuer"));
	if (!grant_is(jwt, "aud", c->audience))
		return (refuse(info, "the token is for somebody else"));
	if (sub == NULL || sub[0] == '\0' || strlen(sub) >= TOKEN_SUBJECT)
		return (refuse(info, "the token has no subject"));
	if (role == NULL || (r = role_parse(role)) < 0)
		return (refuse(info, "the token has no role"));
	memcpy(t->subject, sub, strlen(sub) + 1);
	t->role = (enum role)r;
	return (ERR_OK);
}

enum err
token_verify(const struct token_config *c, const char *text, int64_t now_us,
    struct token *ret, struct err_info *info)
{
	JWT *jwt = NULL;
	struct token t;
	enum err e;

	if (strnlen(text, TOKEN_MAX) >= TOKEN_MAX)
		return (refuse(info, "the token is too long"));
	/* libjwt obeys the token's own alg: what it verified counts only if
	 * that was HS256. */
	if (jwt_decode(&jwt, text, (const unsigned char *)c->secret,
		(int)strlen(c->secret)) != 0)
		return (refuse(info, "the token's signature is not ours"));
	if (jwt_get_alg(jwt) != JWT_ALG_HS256)
		return (refuse(info, "the token's algorithm is not ours"));
	if ((e = check_names(jwt, c, &t, info)) != ERR_OK ||
	    (e = check_times(jwt, now_us, &t.expires_us, info)) != ERR_OK)
		return (e);
	*ret = t;
	return (ERR_OK);
}
