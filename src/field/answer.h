/*
 * answer: what a gateway's JSON answer says, without a tree.
 *
 * Runs on: C. Frees: nothing. Errors: anything that is not one well-formed
 * JSON object (RFC 8259), or names the member twice, says nothing.
 */
#ifndef PENSTOCK_FIELD_ANSWER_H
#define PENSTOCK_FIELD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

/* The object's own string member `name`, without characters that JSON
 * escapes; false, and ret is "", if it has none that fits. */
bool answer_word(
    const char *json, size_t len, const char *name, char *ret, size_t size);
/* True if the object's own string member `name` is `value`, both without
 * characters that JSON escapes. */
bool
answer_says(const char *json, size_t len, const char *name, const char *value);

#endif
