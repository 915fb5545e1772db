/*
 * limits: how often each client may ask, by what the route is for: one limit
 * for whoever the token or key names, one for the address (IPv6: the /64).
 *
 * Runs on: C. Frees: nothing. Units: µs of the monotonic clock. Errors:
 * limits_parse() says what a setting must look like.
 */
#ifndef PENSTOCK_AUTH_LIMITS_H
#define PENSTOCK_AUTH_LIMITS_H

#include "auth/buckets.h"
#include "core/err.h"

/* What a route is for. In this order load is shed: ingest first; log-ins and
 * changes never. */
enum limit_class {
	LIMIT_BY_METHOD, /* GET: read, others: change */
	LIMIT_NONE,	 /* is always served */
	LIMIT_INGEST,
	LIMIT_READ,
	LIMIT_CHANGE,
	LIMIT_LOGIN,
	LIMIT_CLASSES
};

enum limit_by { LIMIT_PRINCIPAL, LIMIT_ADDRESS, LIMIT_BYS };

struct limit {
	const char *name; /* of the policy, as clients see it */
	int64_t quota;	  /* requests; 0: any number */
	int64_t window_s; /* in which an empty bucket becomes full */
	struct rate rate;
};

struct limits {
	struct buckets *buckets; /* NULL: nothing is limited */
	struct limit of[LIMIT_CLASSES][LIMIT_BYS];
};

#define LIMIT_QUOTA_MAX	   1000000
#define LIMIT_WINDOW_S_MAX 86400

/* "REQUESTS/SECONDS", or "0": any number. `ret` keeps its name. */
enum err limits_parse(const char *text, struct limit *ret, struct err_info *);

/* One request of that client. False: too many, nothing was drawn. `ret` is set
 * if the limit is one. */
bool limits_draw(const struct limits *, const struct limit *, const char *who,
    size_t len, int64_t now_us, struct drawn *ret);

#endif
