/*
 * transport: how a request to a server of others travels: where its
 * connection may go is judged as it is made (address.h); redirects and proxies
 * are never followed; TLS is verified; each request has a connection of its
 * own, as libcurl would send a POST again by itself if a kept one turned out
 * to be closed.
 *
 * Runs on: T. Frees: nothing. Units: ms. Errors: the connection fails, and
 * transport_barred() says why.
 */
#ifndef PENSTOCK_FIELD_TRANSPORT_H
#define PENSTOCK_FIELD_TRANSPORT_H

#include "field/address.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

struct transport_config {
	long timeout_ms;     /* of one request, from its begin to its end */
	const char *ca_path; /* PEM; NULL: the system's */
	const struct address_rules *rules;
};

/* One request's; where it is does not change until curl's handle is gone. */
struct transport {
	const struct address_rules *rules;
	bool tls;
	char barred[64]; /* the address it was not let to; "": none */
};

/* All but what is sent and what becomes of the answer. The rules are borrowed
 * until the handle is gone. */
void transport_set(struct transport *, const struct transport_config *, CURL *,
    const char *url);
/* False: it was not kept from going anywhere. nets: the setting that names
 * the networks, for people. */
bool transport_barred(
    const struct transport *, const char *nets, char *ret, size_t size);

#endif
