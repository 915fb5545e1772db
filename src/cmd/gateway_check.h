/*
 * gateway_check: whether a request is Penstock's, as a gateway has to ask it:
 * signed by the gateway's secret (auth/gateway_key.h), not long ago. Whether
 * it came before is for the memory of idempotency keys to say.
 *
 * Runs on: C. Frees: nothing. Units: s. Errors: false and why.
 */
#ifndef PENSTOCK_CMD_GATEWAY_CHECK_H
#define PENSTOCK_CMD_GATEWAY_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#define GATEWAY_SECRET_MAX   80
#define GATEWAY_CHECK_WINDOW 60 /* either way */

struct gateway_claim {
	const char *method, *path;
	const char *time, *signature; /* headers; NULL: not there */
	const char *body;
	size_t len;
};

bool gateway_check(
    const char *secret, const struct gateway_claim *, const char **ret_why);

#endif
