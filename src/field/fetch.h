/*
 * fetch: one small document whole, by HTTPS or from a file.
 *
 * Runs on: T; http_start() was called. Frees: the caller, *ret. Units: ms,
 * bytes. Errors: ERR_INVALID for what is neither, is over `max` or did not
 * come whole; the detail may be logged. Redirects and proxies are never
 * followed; TLS is verified.
 */
#ifndef PENSTOCK_FIELD_FETCH_H
#define PENSTOCK_FIELD_FETCH_H

#include "core/err.h"

#include <stddef.h>

struct fetch {
	const char *source;  /* https://…, or a path that begins with '/' */
	const char *ca_path; /* PEM; NULL: the system's */
	long timeout_ms;
	size_t max;
};

/* NULL if it did not come. */
char *fetch_get(const struct fetch *, size_t *ret_len, struct err_info *);

#endif
