/*
 * hops: who a request is from when a proxy that we trust passed it on: the
 * right-most hop that is not itself trusted, of X-Forwarded-For or of Forwarded
 * (RFC 7239). Whatever stands left of it anybody may have written.
 *
 * Runs on: C, pure. Frees: nothing. Units: addresses as IPv6, those of IPv4
 * mapped (RFC 4291 section 2.5.5.2). Errors: a list or a field that is not as
 * it must be; such a request is to be refused, since nobody knows who it is
 * from.
 */
#ifndef PENSTOCK_EDGE_HOPS_H
#define PENSTOCK_EDGE_HOPS_H

#include "core/err.h"
#include "edge/gate.h"

#include <netinet/in.h>
#include <stdbool.h>

#define HOPS_NETS_MAX 32
#define HOPS_MAX      32 /* in one request */

struct hops {
	unsigned n; /* 0: nobody is trusted */
	struct {
		struct in6_addr address;
		unsigned bits;
	} nets[HOPS_NETS_MAX];
	bool forwarded; /* the field is Forwarded */
};

/* Addresses and networks ("10.0.0.0/8, 2001:db8::1"), with commas between;
 * `field` is "x-forwarded-for" or "forwarded". */
enum err hops_parse(
    const char *list, const char *field, struct hops *ret, struct err_info *);
bool hops_trusts(const struct hops *, const struct in6_addr *);
/* *io is the trusted peer, and stays so where the field is absent. */
enum err hops_client(const struct hops *, const struct gate_head *,
    struct in6_addr *io, struct err_info *);

#endif
