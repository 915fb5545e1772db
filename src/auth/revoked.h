/*
 * revoked: whose access tokens are no longer taken although they have not
 * expired: those of sessions that ended, and of a foreign identity provider's
 * those of a holder and single ones. Each worker keeps them as the database
 * tells them, and forgets one when its last token is over. Who has heard
 * nothing for a while does not know who may still change anything.
 *
 * Runs on: L (one per worker, no locks). Frees: revoked_free(). Units: µs UTC,
 * or of a clock that only goes on where that is said.
 * Errors: ERR_TOO_LARGE, ERR_NO_MEMORY: it is not known as revoked.
 */
#ifndef PENSTOCK_AUTH_REVOKED_H
#define PENSTOCK_AUTH_REVOKED_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

#define REVOKED_FRESH_S 10

#define REVOKED_MAX (1u << 20) /* places, half of them in use at most */

struct revoked;

/* One that was revoked; none of its tokens lives beyond `until_us`. */
struct revoked_row {
	int64_t key; /* a session, above 0, or a mark */
	int64_t until_us, change;
	int64_t before_us; /* tokens issued then or later are taken; 0: none */
};

/* What one token can be ended by: its session, or the marks of its holder and
 * its jti. */
struct revoked_keys {
	int64_t keys[2]; /* 0: none */
	int64_t issued_us;
};

/* "sub" and a principal's name, or "jti" and a token's: below 0, the first 8
 * bytes of SHA-256 of both with ':' between (as revocation_mark() in SQL). */
int64_t revoked_mark(const char *kind, const char *text);

/* NULL if memory is out. */
struct revoked *revoked_new(void);
void revoked_free(struct revoked *);
enum err
revoked_put(struct revoked *, const struct revoked_row *, int64_t now_us);
bool revoked_has(const struct revoked *, const struct revoked_keys *);
/* Newest change that was put. */
int64_t revoked_change(const struct revoked *);
/* All that the database had was put once; before that nothing is known. */
void revoked_loaded(struct revoked *, int64_t monotonic_us);
bool revoked_known(const struct revoked *);
/* The database has answered, and all that it told before was put. */
void revoked_heard(struct revoked *, int64_t monotonic_us);
/* Whether that is so recent that a token which is not here may be taken for
 * one that is good: REVOKED_FRESH_S. */
bool revoked_fresh(const struct revoked *, int64_t monotonic_us);

#endif
