/*
 * hook_key: the secrets of webhooks, and the signatures by them, as
 * standardwebhooks.com has them.
 *
 * A secret is derived, not kept: HMAC-SHA256 by the service's own secret of
 * "penstock webhook ID VERSION". As text it is "whsec_" and its base64. A
 * message is signed by HMAC-SHA256 of ID "." TIME "." BODY: "v1," and the
 * base64 of that; of two secrets with a space between.
 *
 * Runs on: C. Frees: nothing. Units: s since 1970. Errors: none.
 */
#ifndef PENSTOCK_AUTH_HOOK_KEY_H
#define PENSTOCK_AUTH_HOOK_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOOK_SECRET_TEXT  52 /* "whsec_", base64, NUL */
#define HOOK_SIGNATURE	  100
#define HOOK_SECRET_LEAST 32 /* bytes of the service's own */

struct hook_message {
	int32_t hook, version;
	bool old_too; /* signed by the version before as well */
	const char *id;
	int64_t time_s;
	const char *body;
	size_t len;
};

void hook_secret_text(const char *service_secret, int32_t hook, int32_t version,
    char ret[static HOOK_SECRET_TEXT]);
void hook_sign(const char *service_secret, const struct hook_message *,
    char ret[static HOOK_SIGNATURE]);

#endif
