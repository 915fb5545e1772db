/*
 * token: access tokens, JWT (RFC 7519): ours, signed with HS256 by the
 * keyring, and those of one foreign identity provider, signed by a key of its
 * JWKS. A key belongs to one of the two, and with the key go issuer, audience
 * and what a role is called: nothing in a token chooses how it is checked
 * (RFC 8725).
 *
 * Runs on: C. Frees: nothing. Units: µs UTC, seconds where named _s.
 * Errors: ERR_UNAUTHORIZED with the reason in `detail`, which is safe to tell
 * to the client; ERR_FORBIDDEN for a foreign token whose holder has no role
 * here; ERR_NOT_FOUND (`info` says ERR_UNAUTHORIZED) where a foreign key is
 * not known: it may be new; ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_AUTH_TOKEN_H
#define PENSTOCK_AUTH_TOKEN_H

#include "auth/keyring.h"
#include "auth/revoked.h"
#include "auth/role.h"
#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX	JWS_MAX
#define TOKEN_SUBJECT	96
#define TOKEN_SKEW_S	30     /* clocks of other instances, for nbf and iat */
#define TOKEN_LIFE_MAX	86400  /* s a token may still have, whosever it is */
#define TOKEN_FOREIGN	"idp:" /* before a foreign subject; no user has it */
#define TOKEN_ROLES_MAX 16
#define TOKEN_ZONES	512 /* bytes of their codes as JSON */
#define TOKEN_ZONES_ALL "*" /* no zone is called that */

struct jwks;

/* What a foreign provider calls our roles. */
struct token_roles {
	struct {
		enum role role;
		char word[64];
	} rows[TOKEN_ROLES_MAX];
	size_t n;
};

struct token_foreign {
	const char *issuer, *audience;
	/* Where the claim has its role or list of roles: a member's name, or
	 * an RFC 6901 pointer. */
	const char *role_claim;
	struct token_roles roles;
	/* The same of the zones an operator acts in: a code or a list of them,
	 * "*" for all. */
	const char *zones_claim;
	bool zones_absent_all;	 /* without that claim all, else none */
	int64_t life_s;		 /* from iat, which must be there, to exp */
	const struct jwks *keys; /* NULL: not fetched yet */
};

struct token_config {
	const struct keyring *keys;
	const char *issuer, *audience;
	int life_s;
	const struct token_foreign *foreign; /* NULL: there is none */
};

struct token {
	char subject[TOKEN_SUBJECT];
	enum role role;
	int64_t expires_us;
	int64_t session; /* 0: of a foreign token */
	struct revoked_keys ends;
	/* JSON, of a foreign operator: where he acts. "": by his role alone,
	 * or by what users say. */
	char zones[TOKEN_ZONES];
};

/* "viewer=staff,admin=water admins": our role, then the provider's word. */
enum err
token_roles_parse(const char *, struct token_roles *ret, struct err_info *);

/* For subject, role and session; the expiry follows from the settings. */
enum err token_issue(const struct token_config *, const struct token *,
    int64_t now_us, char ret[static TOKEN_MAX], struct err_info *);
enum err token_verify(const struct token_config *, const char *text,
    int64_t now_us, struct token *ret, struct err_info *);

#endif
