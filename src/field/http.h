/*
 * http: the connector for field gateways that take commands as JSON over
 * HTTP: POST {url}/commands with an Idempotency-Key; and tell by
 * GET {url}/commands/{key} what became of one. What the answers mean:
 *
 *	2xx or 409, {"status":"executed"}	EXECUTED
 *	2xx or 409, {"status":"accepted"}	ACCEPTED: it will act
 *	2xx, {"status":"refused" or "failed"}	REFUSED
 *	2xx, {"status":"expired"}		EXPIRED: it never acted
 *	other 4xx but 408, 409, 425, 429	REFUSED (to a POST)
 *	200 or 404, {"status":"unknown"}	NEVER_HAD (to a GET)
 *	429, or the request surely never left	NOT_TAKEN
 *	all else, or no answer in time		NO_ANSWER
 *
 * An answer with another "idempotency_key" than ours is none; one to a GET
 * must have ours. Requests have Penstock-Time and, if there is a signer,
 * Penstock-Signature (auth/gateway_key.h).
 *
 * Runs on: T, one thread at a time. Units: ms.
 * Errors: in the replies. Redirects and proxies are never followed; TLS is
 * verified; no address is called that the rules do not allow.
 */
#ifndef PENSTOCK_FIELD_HTTP_H
#define PENSTOCK_FIELD_HTTP_H

#include "field/connector.h"

extern const struct connector http_connector;

/* Once in the program, before its threads: libcurl asks for it. */
enum err http_start(struct err_info *);

#endif
