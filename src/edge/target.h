/*
 * target: which resource a request means: its target and Host (RFC 9112
 * section 3.2, RFC 9110 section 7.2).
 *
 * Runs on: C, pure. Frees: nothing; results point into the caller's text.
 * Errors: ERR_BAD_REQUEST with words for the client.
 */
#ifndef PENSTOCK_EDGE_TARGET_H
#define PENSTOCK_EDGE_TARGET_H

#include "core/err.h"
#include "core/exchange.h"

#define TARGET_MAX 6144 /* bytes */

struct target {
	const char *path;      /* "*" only for OPTIONS */
	const char *query;     /* "" if none */
	const char *authority; /* of a target in absolute form, else NULL */
	size_t authority_len;
	unsigned port; /* of its scheme */
};

/* Cuts `s` in place; it may have TARGET_MAX bytes. */
enum err
target_parse(char *s, enum method, struct target *ret, struct err_info *);
enum err target_check_host(const char *host, struct err_info *);
/* `host` NULL: there was none. */
enum err target_check_authority(
    const struct target *, const char *host, struct err_info *);

#endif
