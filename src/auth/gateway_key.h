/*
 * gateway_key: the secrets that requests to field gateways are signed with.
 *
 * A gateway's secret is derived, not kept: hex of HMAC-SHA256 (RFC 2104) by
 * the service's own secret of "penstock gateway CODE VERSION". Whoever reads
 * the database learns none; a new version makes a new one.
 *
 * A request is signed by hex of HMAC-SHA256 by the gateway's secret, as text,
 * of METHOD "\n" PATH "\n" TIME "\n" BODY, TIME being seconds since 1970 in
 * decimal; "v1=" and that, and after a comma that of the version before, so
 * that a gateway which does not know the new secret yet goes on.
 *
 * Runs on: C. Frees: nothing; the port borrows the secret. Errors: none.
 */
#ifndef PENSTOCK_AUTH_GATEWAY_KEY_H
#define PENSTOCK_AUTH_GATEWAY_KEY_H

#include "core/ports.h"

#define GATEWAY_SECRET	     65 /* hex, NUL */
#define GATEWAY_SECRET_LEAST 32 /* bytes of the service's own */

void gateway_secret(const char *service_secret, const char *code, int version,
    char ret[static GATEWAY_SECRET]);
/* The signature header's value. */
struct signer_port gateway_signer(const char *service_secret);

#endif
