/*
 * field: checks JSON bodies and query parameters against the tables of
 * struct field (route.h).
 *
 * Runs on: C. Frees: nothing. Errors: ERR_INVALID, naming the member and, in
 * a body, pointing at it (RFC 6901). An optional member may be null: nothing
 * given when creating, "take it away" when changing. Lengths are counted in
 * characters. Instants must be RFC 3339 with a zone.
 */
#ifndef PENSTOCK_API_FIELD_H
#define PENSTOCK_API_FIELD_H

#include "api/route.h"
#include "core/err.h"

struct json_t; /* jansson; not included, see core/text.h */

#define FIELD_STRING_MAX  200
#define FIELD_ARRAY_MAX	  100
#define FIELD_WORD_MAX	  63 /* of one of FIELD_STRINGS: a code */
#define FIELD_INTEGER_MAX 9007199254740992.0 /* 2^53: exact in a double */

/* The row of that name, NULL if the table (may be NULL) has none. */
const struct field *field_find(const struct field *table, const char *name);
/* `body` must be an object that fits the table. */
enum err field_check(
    const struct field *table, const struct json_t *body, struct err_info *);
/* One query parameter as text, already percent-decoded. */
enum err
field_check_text(const struct field *, const char *value, struct err_info *);

#endif
