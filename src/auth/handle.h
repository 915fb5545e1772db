/*
 * handle: foreign handles that let go of themselves at the end of a block.
 *
 * Runs on: C. Include <jansson.h> and this before core/text.h.
 */
#ifndef PENSTOCK_AUTH_HANDLE_H
#define PENSTOCK_AUTH_HANDLE_H

#include <jansson.h>

static inline void
json_release(json_t **j)
{
	json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(json_release))) json_t *

#endif
