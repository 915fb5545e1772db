/*
 * percent: percent-encoded text to bytes, once (RFC 3986 section 2.1).
 *
 * Runs on: C. Frees: nothing. Errors: false if it is malformed, has a control
 * character, or does not fit in `size` with its NUL.
 */
#ifndef PENSTOCK_CORE_PERCENT_H
#define PENSTOCK_CORE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* `plus`: '+' is a space, as in forms. */
bool
percent_decode(const char *s, size_t len, bool plus, char *ret, size_t size);

#endif
