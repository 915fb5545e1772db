/*
 * media: which form of an answer a client takes (RFC 9110 section 12.5.1).
 *
 * Runs on: C. Frees: nothing. Errors: -1 if Accept has none of them.
 */
#ifndef PENSTOCK_API_MEDIA_H
#define PENSTOCK_API_MEDIA_H

#include <stddef.h>

/*
 * The place in `offered` ("text/csv", …) of what the client likes best; of
 * two equals the first. The most specific range that fits a type gives its
 * weight. NULL or empty: anything is welcome. Parameters other than q are
 * passed over.
 */
int media_choose(const char *accept, const char *const *offered, size_t n);

#endif
