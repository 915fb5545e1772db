/*
 * openapi: GET /openapi.json, OpenAPI 3.1 made from the route table.
 *
 * Runs on: L. Frees: nothing; the text is built once per worker and kept.
 */
#ifndef PENSTOCK_API_OPENAPI_H
#define PENSTOCK_API_OPENAPI_H

#include "core/text.h"

struct request;

void openapi_get(struct request *);
/* The document itself. */
void openapi_write(struct text *);

#endif
