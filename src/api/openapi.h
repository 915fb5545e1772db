/*
 * openapi: GET /openapi.json, OpenAPI 3.1 made from the route table and
 * assets/contract.
 *
 * Runs on: L; openapi_make() takes milliseconds, so the parent calls it before
 * it forks. Frees: nothing; the text is built once and kept.
 */
#ifndef PENSTOCK_API_OPENAPI_H
#define PENSTOCK_API_OPENAPI_H

#include "core/text.h"

#include <stdbool.h>

struct request;

/* False: memory is out. */
bool openapi_make(void);
void openapi_get(struct request *);
/* The document itself. */
void openapi_write(struct text *);

#endif
