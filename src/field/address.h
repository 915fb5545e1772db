/*
 * address: where requests to gateways may go: to public addresses (IANA
 * special-purpose registries, RFC 6890), by TLS; and to the networks that the
 * configuration names, with or without it.
 *
 * What is judged is the very address a connection is about to be made to, so
 * no name can point elsewhere between the look and the call.
 *
 * Runs on: C. Frees: nothing. Errors: ERR_INVALID names the part that is no
 * network.
 */
#ifndef PENSTOCK_FIELD_ADDRESS_H
#define PENSTOCK_FIELD_ADDRESS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_NETS_MAX 32

struct address_net {
	unsigned char at[16]; /* IPv4 as ::ffff:a.b.c.d */
	int bits;
};

struct address_rules {
	struct address_net nets[ADDRESS_NETS_MAX];
	size_t n;
};

/* "10.0.0.0/8,fd00::/8"; "" is none. */
enum err
address_rules_parse(const char *, struct address_rules *ret, struct err_info *);
bool
address_allows(const struct address_rules *, const struct sockaddr *, bool tls);

#endif
