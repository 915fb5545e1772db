/*
 * token: access tokens, JWT (RFC 7519) signed with HS256 and nothing else.
 *
 * Runs on: C. Frees: nothing. Units: µs UTC, seconds where named _s.
 * Errors: ERR_UNAUTHORIZED with the reason in `detail`, which is safe to tell
 * to the client; ERR_NO_MEMORY. The algorithm, the key and what must be in a
 * token are ours: nothing in a token chooses how it is checked (RFC 8725).
 */
#ifndef PENSTOCK_AUTH_TOKEN_H
#define PENSTOCK_AUTH_TOKEN_H

#include "auth/role.h"
#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX      1024 /* bytes of a token, its NUL included */
#define TOKEN_SUBJECT  96
#define TOKEN_SECRET   32 /* least bytes of the secret, RFC 7518 sec. 3.2 */
#define TOKEN_SKEW_S   30 /* clocks of other instances, for nbf and iat */
#define TOKEN_LIFE_MAX 86400

struct token_config {
	const char *secret; /* bytes of text */
	const char *kid, *issuer, *audience;
	int life_s;
};

struct token {
	char subject[TOKEN_SUBJECT];
	enum role role;
	int64_t expires_us;
};

enum err token_issue(const struct token_config *, const char *subject,
    enum role, int64_t now_us, char ret[static TOKEN_MAX], struct err_info *);
enum err token_verify(const struct token_config *, const char *text,
    int64_t now_us, struct token *ret, struct err_info *);

#endif
