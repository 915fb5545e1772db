/*
 * decimal: decimal text to the nearest double, ties to even, whatever the
 * locale is.
 *
 * Runs on: C. Frees: nothing.
 */
#ifndef PENSTOCK_INGEST_DECIMAL_H
#define PENSTOCK_INGEST_DECIMAL_H

#include <stddef.h>

/*
 * A JSON number (RFC 8259 section 6) at `s`, not reading at or beyond `end`.
 * Returns its length, 0 if there is none or it is longer than `max`
 * characters (at most 400). Overflow gives an infinity.
 */
size_t decimal_parse(const char *s, const char *end, size_t max, double *ret);

#endif
