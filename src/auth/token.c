#include "auth/handle.h" /* before core/text.h */

#include "auth/token.h"

#include "auth/jwks.h"
#include "core/instant.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_9999_S INT64_C(253402300799)

static enum err
refuse(struct err_info *info, const char *why)
{
	return (err_set(info, ERR_UNAUTHORIZED, NULL, "%s", why));
}

enum err
token_issue(const struct token_config *c, const struct token *who,
    int64_t now_us, char ret[static TOKEN_MAX], struct err_info *info)
{
	int64_t now = now_us / US_PER_SECOND;
	char buf[TOKEN_MAX / 2], sid[24];
	struct text t;

	(void)snprintf(sid, sizeof(sid), "%" PRId64, who->session);
	text_init_fixed(&t, buf, sizeof(buf));
	json_object(&t, NULL);
	json_string(&t, "iss", c->issuer);
	json_string(&t, "aud", c->audience);
	json_string(&t, "sub", who->subject);
	json_string(&t, "role", role_name(who->role));
	json_string(&t, "sid", sid);
	json_int(&t, "iat", now);
	json_int(&t, "exp", now + c->life_s);
	json_object_end(&t);
	if (!text_ok(&t))
		return (err_set(info, ERR_INTERNAL, NULL, "token too long"));
	return (jws_sign(&c->keys->keys[0], t.s, ret, info));
}

/* NumericDate of RFC 7519, whole seconds or not; 0: absent, -1: no time. */
static int64_t
claim_time(const json_t *claims, const char *name)
{
	const json_t *v = json_object_get(claims, name);
	double s;

	if (v == NULL)
		return (0);
	if (!json_is_number(v))
		return (-1);
	s = json_number_value(v);
	if (!(s >= 1 && s <= (double)YEAR_9999_S))
		return (-1);
	return ((int64_t)s * US_PER_SECOND);
}

static enum err
check_times(const json_t *claims, int64_t now_us, struct token *t,
    struct err_info *info)
{
	static const char *const past[] = {"nbf", "iat"};
	int64_t at = claim_time(claims, "exp");

	if (at <= 0)
		return (refuse(info, "the token has no expiry"));
	if (at <= now_us)
		return (refuse(info, "the token has expired"));
	if (at > now_us + (TOKEN_LIFE_MAX + TOKEN_SKEW_S) * US_PER_SECOND)
		return (refuse(info, "the token lives too long"));
	t->expires_us = at;
	for (size_t i = 0; i < 2; i++) {
		at = claim_time(claims, past[i]);
		if (at < 0)
			return (refuse(info, "the token is malformed"));
		if (at > now_us + TOKEN_SKEW_S * US_PER_SECOND)
			return (refuse(info, "the token is not valid yet"));
	}
	return (ERR_OK);
}

static bool
is_text(const json_t *v, const char *want)
{
	const char *is = json_string_value(v);

	return (is != NULL && strcmp(is, want) == 0);
}

/* One, or a list of those it is for (RFC 7519 section 4.1.3). */
static bool
is_audience(const json_t *v, const char *want)
{
	size_t i;
	json_t *one;

	json_array_foreach(v, i, one) if (is_text(one, want)) return (true);
	return (is_text(v, want));
}

static enum err
check_names(const json_t *claims, const char *issuer, const char *audience,
    struct err_info *info)
{
	if (!is_text(json_object_get(claims, "iss"), issuer))
		return (refuse(info, "the token has another issuer"));
	if (!is_audience(json_object_get(claims, "aud"), audience))
		return (refuse(info, "the token is for somebody else"));
	return (ERR_OK);
}

/* Names reach logs and lists: printable, and short enough to be whole. */
static enum err
take_subject(const json_t *claims, const char *prefix, struct token *t,
    struct err_info *info)
{
	const char *s = json_string_value(json_object_get(claims, "sub"));
	size_t len = s != NULL ? strlen(s) : 0, n = strlen(prefix);

	if (len == 0 || len + n >= sizeof(t->subject))
		return (refuse(info, "the token has no subject"));
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return (refuse(info, "the token has no subject"));
	memcpy(t->subject, prefix, n);
	memcpy(t->subject + n, s, len + 1);
	return (ERR_OK);
}

static enum err
check_own(const struct token_config *c, const json_t *claims, struct token *t,
    struct err_info *info)
{
	const char *role = json_string_value(json_object_get(claims, "role"));
	const char *sid = json_string_value(json_object_get(claims, "sid"));
	char *end = NULL;
	enum err e;
	int r;

	if ((e = check_names(claims, c->issuer, c->audience, info)) != ERR_OK ||
	    (e = take_subject(claims, "", t, info)) != ERR_OK)
		return (e);
	if (role == NULL || (r = role_parse(role)) < 0)
		return (refuse(info, "the token has no role"));
	t->role = (enum role)r;
	t->session = sid != NULL ? strtoll(sid, &end, 10) : 0;
	if (t->session <= 0 || *end != '\0')
		return (refuse(info, "the token is of no session"));
	t->ends.keys[0] = t->session;
	return (ERR_OK);
}

static const json_t *
find_member(const json_t *from, const char *s, size_t len)
{
	char name[128];
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < sizeof(name); i++, n++) {
		name[n] = s[i];
		if (s[i] == '~' && i + 1 < len)
			name[n] = s[++i] == '1' ? '/' : '~';
	}
	name[n] = '\0';
	return (json_object_get(from, name));
}

static const json_t *
find_claim(const json_t *claims, const char *where)
{
	const char *end;

	if (where[0] != '/')
		return (json_object_get(claims, where));
	for (; *where == '/' && claims != NULL; where = end) {
		end = strchrnul(where + 1, '/');
		claims =
		    find_member(claims, where + 1, (size_t)(end - where - 1));
	}
	return (claims);
}

/* The highest of the roles that the words stand for, -1 if none. */
static int
best_role(const struct token_roles *roles, const json_t *words)
{
	int best = -1;

	for (size_t i = 0; i < roles->n; i++)
		if ((int)roles->rows[i].role > best &&
		    is_audience(words, roles->rows[i].word))
			best = (int)roles->rows[i].role;
	return (best);
}

/* By what it can be ended: its life is bounded, so that what ends it need not
 * be kept for ever. */
static enum err
take_ends(const json_t *claims, int64_t life_s, struct token *t,
    struct err_info *info)
{
	const json_t *jti = json_object_get(claims, "jti");
	int64_t issued_us = claim_time(claims, "iat");

	if (issued_us <= 0)
		return (refuse(info, "the token does not say when it began"));
	if (t->expires_us - issued_us > life_s * US_PER_SECOND)
		return (refuse(info, "the token lives too long"));
	if (jti != NULL && !json_is_string(jti))
		return (refuse(info, "the token is malformed"));
	t->ends = (struct revoked_keys){
	    .keys = {revoked_mark("sub", t->subject),
		jti != NULL ? revoked_mark("jti", json_string_value(jti)) : 0},
	    .issued_us = issued_us,
	};
	return (ERR_OK);
}

/* What is no code of a zone binds to none. */
static enum err
take_zones(const struct token_foreign *f, const json_t *claims, struct token *t,
    struct err_info *info)
{
	const json_t *v = find_claim(claims, f->zones_claim);
	struct text list;
	json_t *one;
	size_t i;

	text_init_fixed(&list, t->zones, sizeof(t->zones));
	json_array(&list, NULL);
	if (v == NULL && f->zones_absent_all)
		json_string(&list, NULL, TOKEN_ZONES_ALL);
	if (json_is_string(v))
		json_string(&list, NULL, json_string_value(v));
	json_array_foreach(v, i, one) if (json_is_string(one))
	    json_string(&list, NULL, json_string_value(one));
	json_array_end(&list);
	if (!text_ok(&list))
		return (err_set(info, ERR_FORBIDDEN, NULL,
		    "the identity provider names too many zones"));
	return (ERR_OK);
}

static enum err
check_foreign(const struct token_foreign *f, const json_t *claims,
    struct token *t, struct err_info *info)
{
	enum err e;
	int r;

	if ((e = check_names(claims, f->issuer, f->audience, info)) != ERR_OK ||
	    (e = take_subject(claims, TOKEN_FOREIGN, t, info)) != ERR_OK ||
	    (e = take_ends(claims, f->life_s, t, info)) != ERR_OK)
		return (e);
	r = best_role(&f->roles, find_claim(claims, f->role_claim));
	if (r < 0)
		return (err_set(info, ERR_FORBIDDEN, NULL,
		    "the identity provider gives no role here"));
	t->role = (enum role)r;
	t->session = 0;
	return (
	    t->role == ROLE_OPERATOR ? take_zones(f, claims, t, info) : ERR_OK);
}

static enum err
find_key(const struct token_config *c, const struct jws *jws,
    const struct jws_key **ret, bool *ret_foreign, struct err_info *info)
{
	*ret = NULL;
	*ret_foreign = false;
	if (jws->kid[0] == '\0')
		return (refuse(info, "the token names no key"));
	if ((*ret = keyring_find(c->keys, jws->kid)) != NULL)
		return (ERR_OK);
	*ret_foreign = c->foreign != NULL;
	if (c->foreign != NULL && c->foreign->keys != NULL)
		*ret = jwks_find(c->foreign->keys, jws->kid);
	if (*ret != NULL)
		return (ERR_OK);
	(void)refuse(info, "the token's key is not known");
	return (c->foreign != NULL ? ERR_NOT_FOUND : ERR_UNAUTHORIZED);
}

enum err
token_verify(const struct token_config *c, const char *text, int64_t now_us,
    struct token *ret, struct err_info *info)
{
	const struct jws_key *key;
	struct token t = {.session = 0};
	AUTO_JSON claims = NULL;
	struct jws jws;
	bool foreign;
	enum err e;

	if ((e = jws_parse(text, &jws, info)) != ERR_OK ||
	    (e = find_key(c, &jws, &key, &foreign, info)) != ERR_OK)
		return (e);
	if (!jws_verify(&jws, key))
		return (refuse(info, "the token's signature is wrong"));
	claims = json_loadb(
	    jws.claims, jws.claims_len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(claims))
		return (refuse(info, "the token is malformed"));
	if ((e = check_times(claims, now_us, &t, info)) != ERR_OK)
		return (e);
	e = foreign ? check_foreign(c->foreign, claims, &t, info)
		    : check_own(c, claims, &t, info);
	if (e == ERR_OK)
		*ret = t;
	return (e);
}

enum err
token_roles_parse(const char *s, struct token_roles *ret, struct err_info *info)
{
	struct token_roles roles = {.n = 0};
	size_t len, word;
	char name[16];
	int role;

	for (; *s != '\0'; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		word = strcspn(s, "=") + 1;
		if (word >= len || word > sizeof(name) ||
		    len - word >= sizeof(roles.rows[0].word) ||
		    roles.n == TOKEN_ROLES_MAX)
			return (err_set(info, ERR_INVALID, NULL,
			    "roles are given as role=word,role=word"));
		memcpy(name, s, word - 1);
		name[word - 1] = '\0';
		if ((role = role_parse(name)) < ROLE_VIEWER)
			return (err_set(info, ERR_INVALID, NULL,
			    "%s is no role of a person", name));
		roles.rows[roles.n].role = (enum role)role;
		memcpy(roles.rows[roles.n].word, s + word, len - word);
		roles.rows[roles.n++].word[len - word] = '\0';
	}
	*ret = roles;
	return (ERR_OK);
}
