/*
 * resolve: host names to addresses, once at start, because the clients on
 * the loop must never wait for DNS.
 *
 * Runs on: C but blocks: only before the workers run, or on T. Frees: the
 * caller frees the returned text. Errors: NULL, info names the host.
 */
#ifndef PENSTOCK_STORE_RESOLVE_H
#define PENSTOCK_STORE_RESOLVE_H

#include "core/err.h"

/* libpq conninfo with hostaddr= added where host= is a name. */
char *resolve_conninfo(const char *conninfo, struct err_info *);
/* "redis:6379" to "172.18.0.2:6379"; paths and addresses stay. */
char *resolve_address(const char *address, struct err_info *);

#endif
