/*
 * login: whether a password is right, asked no more often than the limits of
 * sql/migrations/0016 allow, for all workers and instances together.
 *
 * Runs on: L; Argon2id on a thread. Frees: the request's arena. Errors: 429
 * with Retry-After when the account or the address has to wait, `refusal` when
 * name and password do not belong together: in the same time and words for a
 * name that does not exist, is disabled, or has another password.
 */
#ifndef PENSTOCK_API_LOGIN_H
#define PENSTOCK_API_LOGIN_H

#include "api/request.h"
#include "auth/password.h"

struct login {
	const char *username, *password; /* live as long as the request */
	struct {
		enum err code;
		const char *pointer, *detail;
	} refusal;
	/* Called once, with role and hash, if they belong together. */
	void (*next)(struct request *, const struct login *);
	enum role role;
	char hash[PASSWORD_HASH];
	/* login.c's own. */
	struct request *r;
	char peer[48];
	bool known, same, at_home;
};

/* Takes r->state; answers itself unless `next` is called. */
void login_run(struct request *, struct login *);

#endif
